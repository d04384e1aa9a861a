"""Decoders with layers that derivatives find hard."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Self-attention over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, z: Tensor) -> Tensor:
        return self.attention(z, z, z, need_weights=False)[0]


class ScaledDotProduct(nn.Module):
    """Attention in torch's one call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, z: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(self.layer(z), z, z)


class Recurrence(nn.Module):
    """A GRU over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=True)

    def forward(self, z: Tensor) -> Tensor:
        return self.gru(z)[0]


class Checkpointed(nn.Module):
    """Layers that are run again in the backward."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, z: Tensor) -> Tensor:
        return checkpoint(self.layers, z, use_reentrant=False)


class Numbers(nn.Module):
    """Arithmetic with Python's numbers, and with a wider tensor of rank 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, z: Tensor) -> Tensor:
        return (2.0 * self.layer(z) ** 2 * 0.5 + 1.0) / 3.0 * torch.tensor(2.5, dtype=torch.float64)


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
    "recurrent": lambda: (Recurrence(), (4, 3, 4)),
    "attention": lambda: (Attention(), (4, 3, 4)),
    "scaled dot product": lambda: (ScaledDotProduct(), (4, 3, 4)),
    "transformer": lambda: (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (4, 3, 4)),
    "checkpointed": lambda: (Checkpointed(), (4, 4)),
    "numbers": lambda: (Numbers(), (4, 4)),
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


class Cubes(nn.Module):
    """Cubes of a linear layer, without forward mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, z: Tensor) -> Tensor:
        return _Cube.apply(self.layer(z))
