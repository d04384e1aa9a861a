"""The default critic networks for codes."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.parameter import UninitializedParameter
from typing_extensions import override

from interpreg import _checks
from interpreg.functional.means import has_positions, mean_of_positions

KINDS = ("auto", "flat", "tokens", "convolutional")
CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv1d, 3: nn.Conv2d, 4: nn.Conv3d}
SLOPE = 0.2


def latent_network(
    code_shape: Sequence[int | None] | None = None,
    kind: Literal["auto", "flat", "tokens", "convolutional"] = "auto",
    *,
    hidden: int = 100,
) -> nn.Module:
    """A critic network for codes, which gives one logit a code, ``[B, 1]``.

    Two hidden layers, leaky rectifiers of slope 0.2, weights by Glorot's rule and biases of 0: the discriminator of
    ACAI's published adversarial autoencoder.

    Args:
        code_shape: of one code, without the batch axis: ``()`` for codes ``[B]``, ``(64,)``, ``(16, 4, 4)``; None
            for a length that varies. When not given, the first layer takes its width from the first codes (as
            ``torch.nn.LazyLinear``; an optimizer may be made before that).
        kind: "flat": the flattened code is one vector, as published. "tokens", for codes ``[B, T, D]``: the first
            layer is applied to each position, the others to the mean over (valid) positions, so lengths may vary and
            the order of positions has no influence. "convolutional", for codes ``[B, C, L]`` or ``[B, C, H, W]``: the
            hidden layers are 3-wide convolutions and the last is applied to their mean over positions. "auto": "tokens"
            for ``(None, D)``; without a shape, "tokens" if the first codes come with a padding mask for their
            positions; "flat" for everything else.
        hidden: how many units, or channels, a hidden layer has.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a kind that does not fit the shape.

    >>> latent_network((16, 4, 4))(torch.randn(8, 16, 4, 4)).shape
    torch.Size([8, 1])
    """
    _checks.check_one_of("kind", kind, KINDS)
    hidden = _checks.as_count("hidden", hidden, low=1)
    shape = None if code_shape is None else _shape(code_shape)
    if kind == "auto" and shape is not None:
        kind = "tokens" if len(shape) == 2 and shape[0] is None else "flat"
    if kind == "convolutional":
        return ConvolutionalNetwork(shape, hidden)
    return CodeNetwork(_features(shape, kind), hidden, pooled=None if kind == "auto" else kind == "tokens")


class CodeNetwork(nn.Module):
    """Three linear layers on flattened codes; or the first on each position and the rest on the positions' mean.

    Args:
        features: of a flattened code, or of a position; None to take them from the first codes.
        hidden: units of a hidden layer.
        pooled: whether positions are pooled; None to decide by whether the first codes come with a mask.
    """

    def __init__(self, features: int | None, hidden: int, *, pooled: bool | None) -> None:
        super().__init__()
        self.first = _LazyGlorot(hidden) if features is None else _Glorot(features, hidden)
        self.second = _Glorot(hidden, hidden)
        self.last = _Glorot(hidden, 1)
        self.pooled = pooled

    @override
    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logit of each code, ``[B, 1]``."""
        positions = mask is not None and has_positions(z, mask)
        if self.pooled is None:
            self.pooled = positions
        if self.pooled:
            hidden = leaky_relu(self.first(_tokens(z)), SLOPE)
            hidden = mean_of_positions(hidden, mask if positions else None)
        elif positions:
            raise ValueError(
                "latent critic's network: expected one for codes of any length beside a padding mask, got one of "
                "flattened codes; make it with code_shape=(None, D), D being the elements of a position"
            )
        else:
            hidden = leaky_relu(self.first(z.reshape(z.shape[0], -1)), SLOPE)
        return self.last(leaky_relu(self.second(hidden), SLOPE))  # type: ignore[no-any-return]


class ConvolutionalNetwork(nn.Module):
    """Two convolutions, their mean over all positions, and a linear layer; a padding mask is ignored."""

    def __init__(self, shape: tuple[int | None, ...] | None, hidden: int) -> None:
        if shape is None or len(shape) not in CONVOLUTIONS or shape[0] is None:
            raise ValueError(
                "code_shape: expected (C, L), (C, H, W) or (C, D, H, W) for kind='convolutional', "
                f"got {'None' if shape is None else shape}"
            )
        super().__init__()
        convolution: Any = CONVOLUTIONS[len(shape)]
        self.first, self.second = (convolution(n, hidden, 3, padding=1) for n in (shape[0], hidden))
        _glorot(self.first)
        _glorot(self.second)
        self.last = _Glorot(hidden, 1)

    @override
    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logit of each code, ``[B, 1]``."""
        hidden = leaky_relu(self.second(leaky_relu(self.first(z), SLOPE)), SLOPE)
        return self.last(hidden.flatten(2).mean(2))  # type: ignore[no-any-return]


class _Glorot(nn.Linear):
    """A linear layer with Glorot's initialisation."""

    @override
    def reset_parameters(self) -> None:
        _glorot(self)


class _LazyGlorot(nn.LazyLinear):
    cls_to_become = _Glorot

    def __init__(self, out_features: int) -> None:
        super().__init__(out_features)

    @override
    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_features != 0:
            _glorot(self)


def is_lazy(network: nn.Module) -> bool:
    """Whether a parameter of the network has no shape yet."""
    return any(isinstance(p, UninitializedParameter) for p in network.parameters())


def _glorot(layer: nn.Module) -> None:
    nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _tokens(z: Tensor) -> Tensor:
    if z.ndim < 3:
        raise ValueError(
            f"latent critic's network: expected codes [B, T, D] for kind='tokens', got {_checks.describe(z)}"
        )
    return z.flatten(2)


def _shape(code_shape: object) -> tuple[int | None, ...]:
    if not isinstance(code_shape, (tuple, list)):
        raise TypeError(
            f"code_shape: expected a tuple of one code's lengths, without the batch axis, "
            f"got {_checks.describe(code_shape)}"
        )
    return tuple(None if n is None else _checks.as_count("code_shape", n, low=1) for n in code_shape)


def _features(shape: tuple[int | None, ...] | None, kind: str) -> int | None:
    """Elements of the first layer's input: of a whole code, or of one position."""
    if shape is None:
        return None
    if kind == "tokens" and len(shape) < 2:
        raise ValueError(f"code_shape: expected (T, D) for kind='tokens', got {shape}")
    product = 1
    for n in shape[1:] if kind == "tokens" else shape:
        if n is None:
            raise ValueError(
                f"code_shape: expected fixed lengths for kind={kind!r}, got {shape}; "
                "None may be the length of kind='tokens' and of 'convolutional'"
            )
        product *= n
    return product
