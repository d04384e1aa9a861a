"""Decoders with layers that derivatives find hard."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention as attend
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint


class Made(nn.Module):
    """What a function makes of a layer and codes."""

    def __init__(self, layer: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, z: Tensor) -> Tensor:
        return self.call(self.layer, z)


class KeepsSlope(torch.autograd.Function):
    """A nonlinearity that keeps an intermediate result, which is a constant for its second derivative."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        context.slope = 1 - x.tanh() ** 2
        return x.tanh()

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient * context.slope

    @staticmethod
    def jvp(context, tangent: Tensor) -> Tensor:
        return tangent * context.slope


def attention() -> nn.Module:
    """Self-attention over positions."""
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    return Made(layer, lambda layer, z: layer(z, z, z, need_weights=False)[0])


def checkpointed() -> nn.Module:
    """Layers that are run again in the backward."""
    layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    return Made(layers, lambda layers, z: checkpoint(layers, z, use_reentrant=False))


def cubes() -> nn.Module:
    """Cubes of a linear layer, without forward mode."""
    return Made(nn.Linear(4, 3), lambda layer, z: _Cube.apply(layer(z)))


def _numbers(layer: nn.Module, z: Tensor) -> Tensor:
    """Arithmetic with Python's numbers, and with a wider tensor of rank 0."""
    return (2.0 * layer(z) ** 2 * 0.5 + 1.0) / 3.0 * torch.tensor(2.5, dtype=torch.float64)


def _maps(*layers: nn.Module) -> Callable[[], tuple[nn.Module, tuple[int, ...]]]:
    return lambda: (nn.Sequential(nn.Conv2d(2, 4, 3, 1, 1), *layers, nn.Conv2d(4, 1, 3, 1, 1)), (4, 2, 3, 3))


def _rows(*layers: nn.Module) -> Callable[[], tuple[nn.Module, tuple[int, ...]]]:
    return lambda: (nn.Sequential(nn.Linear(4, 6), *layers, nn.Tanh(), nn.Linear(6, 3)), (4, 4))


DECODERS: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "plain": _rows(),
    "batch norm": _maps(nn.BatchNorm2d(4), nn.Tanh()),
    "batch norm in eval mode": lambda: (
        nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6).eval(), nn.Tanh()),
        (4, 4),
    ),
    "layer norm": _rows(nn.LayerNorm(6)),
    "rms norm": _rows(nn.RMSNorm(6)),
    "group norm": _maps(nn.GroupNorm(2, 4), nn.SiLU()),
    "instance norm": _maps(nn.InstanceNorm2d(4, affine=True), nn.GELU()),
    "instance norm with running statistics": _maps(nn.InstanceNorm2d(4, track_running_stats=True), nn.Tanh()),
    "upsampling": _maps(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Softplus()),
    "transposed convolution": _maps(nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.Tanh()),
    "pixel shuffle": _maps(nn.Conv2d(4, 16, 1), nn.PixelShuffle(2), nn.Tanh()),
    "softmax": _maps(nn.Softmax(1)),
    "dropout": _rows(nn.Dropout(0.3)),
    "spectral norm": lambda: (nn.Sequential(spectral_norm(nn.Linear(4, 6)), nn.Tanh(), nn.Linear(6, 3)), (4, 4)),
    "relu in place": _rows(nn.ReLU(inplace=True)),
    "recurrent": lambda: (Made(nn.GRU(4, 3, batch_first=True), lambda gru, z: gru(z)[0]), (4, 3, 4)),
    "attention": lambda: (attention(), (4, 3, 4)),
    "scaled dot product": lambda: (Made(nn.Linear(4, 4), lambda q, z: attend(q(z), z, z)), (4, 3, 4)),
    "transformer": lambda: (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (4, 3, 4)),
    "checkpointed": lambda: (checkpointed(), (4, 4)),
    "numbers": lambda: (Made(nn.Linear(4, 3), _numbers), (4, 4)),
}


@torch.library.custom_op("interpreg_tests::double", mutates_args=())
def double(x: Tensor) -> Tensor:
    """Twice its input, by an operator that has no forward mode."""
    return 2 * x


@double.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


double.register_autograd(lambda context, gradient: 2 * gradient)


class _Dropping(torch.autograd.Function):
    """Drops the tangent without a word."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return 2 * gradient

    @staticmethod
    def jvp(context, tangent: Tensor) -> Tensor:
        return torch.zeros_like(tangent)


class Residual(nn.Module):
    """Two branches, one of them special."""

    def __init__(self, branch: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.branch = branch

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(z).tanh()
        return self.last(h + self.branch(h))


dropping = _Dropping.apply


class _Cube(torch.autograd.Function):
    """Without forward mode; its gradient can be differentiated."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return 3 * x**2 * gradient
