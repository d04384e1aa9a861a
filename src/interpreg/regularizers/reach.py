"""The range of values that a decoder can give, read from the graph of its output; nothing is computed anew."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

DEPTH = 3  # of joined outputs inside joined outputs
EXACT = 1e-3  # of the range, within which a scaled output is one
# operations behind which values are the same or lie between them, those that join several, those that scale and shift,
# and the ranges of others, by the names of their nodes
SAME_VALUES = frozenset({
    "View", "UnsafeView", "ReshapeAlias", "Alias", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "Clone",
    "ToCopy", "Expand", "Slice", "Select", "Flip", "Roll", "Index", "IndexSelect", "Gather", "Split",
    "SplitWithSizes", "Unbind", "AsStrided", "Diagonal", "Unfold", "Repeat", "PixelShuffle", "PixelUnshuffle",
    "UpsampleNearest1D", "UpsampleNearest2D", "UpsampleNearest3D", "UpsampleNearestExact2D", "UpsampleLinear1D",
    "UpsampleBilinear2D", "UpsampleBilinear2DAa", "UpsampleTrilinear3D", "AvgPool2D", "AvgPool3D",
    "AdaptiveAvgPool2D", "MaxPool2DWithIndices", "ReflectionPad1D", "ReflectionPad2D", "ReplicationPad1D",
    "ReplicationPad2D", "ConstantPadNd", "NativeDropout", "MaskedFill",
})  # fmt: skip
JOINED = frozenset({"Cat", "Stack", "Where"})
SCALED = frozenset({"Add", "Sub", "Rsub", "Mul", "Div", "Neg"})
RANGES = {
    "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Hardsigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0),
    "Sin": (-1.0, 1.0), "Cos": (-1.0, 1.0), "Erf": (-1.0, 1.0), "Atan": (-math.pi / 2, math.pi / 2),
    "Relu": (0.0, math.inf), "Softplus": (0.0, math.inf), "Exp": (0.0, math.inf), "Abs": (0.0, math.inf),
    "Sqrt": (0.0, math.inf), "Gelu": (-0.17, math.inf), "Silu": (-0.28, math.inf), "Mish": (-0.31, math.inf),
    "LogSigmoid": (-math.inf, 0.0), "LogSoftmax": (-math.inf, 0.0),
}  # fmt: skip
LIMITS = {"Hardtanh": ("_saved_min_val", "_saved_max_val"), "Clamp": ("_saved_min", "_saved_max")}


class Reach(NamedTuple):
    """The least and the largest value of an operation, which may be scaled and shifted behind it."""

    low: float
    high: float
    source: Tensor | None = None
    """What the operation gave, where it is."""


UNKNOWN = Reach(-math.inf, math.inf)


def reach(images: object) -> Reach:
    """The range of the operation that made images; infinite where it is not known."""
    return _reach(getattr(images, "grad_fn", None), DEPTH)


def limits_of(images: object, slack: float) -> Tensor | None:
    """The least and the largest value that a decoder can give, ``[2]`` on its device; None where it is not known.

    They are infinite where its values contradict what was read from the graph.
    """
    low, high, source = reach(images)
    if (low, high) == UNKNOWN[:2] or not isinstance(images, Tensor) or not images.numel():
        return None
    y = images.detach()
    least, largest = y.amin().double(), y.amax().double()
    limits = as_limits(low, high, y)
    if source is not None:
        limits = _scaled(limits, source, y)
    fits = (least >= limits[0] - slack) & (largest <= limits[1] + slack)
    return torch.where(fits, limits, as_limits(*UNKNOWN[:2], y))


def as_limits(low: float, high: float, like: Tensor) -> Tensor:
    """Both as one tensor, made where ``like`` is."""
    return torch.stack([like.new_full((), limit, dtype=torch.float64) for limit in (low, high)])


def _reach(node: Any, depth: int) -> Reach:
    is_scaled = False
    while node is not None:
        name = node.name().rstrip("0123456789").removesuffix("Backward")
        span = _range_of(name, node)
        if span is not None:
            source = _saved_result(node) if is_scaled else None
            return Reach(*span, source) if source is not None or not is_scaled else UNKNOWN
        behind = [each for each, _ in node.next_functions]
        if name in JOINED and not is_scaled and depth and None not in behind:
            parts = [_reach(each, depth - 1) for each in set(behind)]
            if all(part.source is None for part in parts):
                return Reach(min(part.low for part in parts), max(part.high for part in parts))
        behind = [each for each in behind if each is not None]
        is_scaled |= name in SCALED
        node = behind[0] if len(behind) == 1 and name in SAME_VALUES | SCALED else None
    return UNKNOWN


def _range_of(name: str, node: Any) -> tuple[float, float] | None:
    """The range of an operation by its name and constants; None where it may give anything."""
    if name in RANGES:
        return RANGES[name]
    if name in LIMITS:
        low, high = (getattr(node, attribute, None) for attribute in LIMITS[name])
        if all(limit is None or isinstance(limit, (int, float)) for limit in (low, high)):
            return -math.inf if low is None else float(low), math.inf if high is None else float(high)
    if name == "Pow":
        exponent = getattr(node, "_saved_exponent", None)
        return (0.0, math.inf) if isinstance(exponent, (int, float)) and exponent % 2 == 0 else None
    if name in ("Elu", "Celu"):
        alpha, scale = (getattr(node, each, 1.0) for each in ("_saved_alpha", "_saved_scale"))
        return (-float(alpha) * float(scale), math.inf)
    return None


def _saved_result(node: Any) -> Tensor | None:
    """What an operation gave, if its node keeps it as it is: unpacking what hooks packed may run a network again."""
    saved = getattr(node, "_raw_saved_result", None)
    if saved is None or getattr(saved, "unpack_hook", saved) is not None:
        return None
    try:
        values = saved.data
    except RuntimeError:  # freed
        return None
    return values.detach() if isinstance(values, Tensor) and values.numel() else None


def _scaled(limits: Tensor, source: Tensor, y: Tensor) -> Tensor:
    """The limits behind the scale and the shift that make ``y`` of ``source``, in whatever order its values are.

    They follow from the extremes, and the means confirm them; NaN where they do not.
    """
    (low, high, mean), (least, largest, middle) = (
        (v.amin().double(), v.amax().double(), v.double().mean()) for v in (source, y)
    )
    share, expected = (middle - least) / (largest - least), (mean - low) / (high - low)
    factor = (largest - least) / (high - low)
    rises, falls = (share - expected).abs() <= EXACT, (share + expected - 1).abs() <= EXACT
    up = least + factor * (limits - low)
    down = (largest - factor * (limits - low)).flip(0)
    return torch.where(rises, up, torch.where(falls, down, torch.full_like(up, torch.nan)))
