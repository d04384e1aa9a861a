"""Looks at the values of a batch, at calls 1, 2, 4, 8 ... and without waiting for the device.

What is surely wrong is reported once a regularizer, with the line that mends it.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from interpreg._later import Later, is_capturing, is_look
from interpreg._networks import submodules_of
from interpreg._warnings import warn
from interpreg.batch import Batch
from interpreg.functional.means import has_positions
from interpreg.mmd.dispatch import is_transformed

if TYPE_CHECKING:
    from interpreg.regularizers.base import Regularizer

OUT_OF_REACH = 0.05  # share of values of x that a decoder's last operation may miss
SETTLED = 8  # calls, before which quantized codes may be equal by their initialisation
SLACK = 0.05  # beyond its range, before a value of x counts as missed
# operations after which values are the same, and the ranges of others, by the names of their nodes
SAME_VALUES = frozenset({
    "View", "UnsafeView", "ReshapeAlias", "Alias", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "Clone",
    "ToCopy", "Expand", "Slice", "Select",
})  # fmt: skip
RANGES = {
    "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Hardsigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0),
    "Relu": (0.0, math.inf), "Softplus": (0.0, math.inf), "Exp": (0.0, math.inf),
}  # fmt: skip
LIMITS = {"Hardtanh": ("_saved_min_val", "_saved_max_val"), "Clamp": ("_saved_min", "_saved_max")}


class Fault(NamedTuple):
    """Something that is wrong, and what mends it."""

    kind: str
    message: str
    remedy: str


class Numbers(NamedTuple):
    """What a look measures of x, the decoder, the codes and the losses."""

    not_finite: float
    """The share of x that is NaN or infinite."""
    low: float
    high: float
    unscaled: float
    """1 where x is as 8-bit or 16-bit values are before they are divided."""
    floor: float
    ceiling: float
    """The least and the largest value that the decoder's last operation gives."""
    missed: float
    """The share of x beyond them."""
    standing: float
    """1 where all codes are equal and their samples are not."""
    finite_losses: float


class Looks:
    """The looks of one regularizer: how often it was called in each mode, and what was reported."""

    def __init__(self) -> None:
        self.calls: dict[tuple[bool, bool], int] = {}
        self.reported: set[str] = set()
        self.later = Later()

    def after(self, reg: "Regularizer", batch: Batch, losses: dict[str, Tensor]) -> None:
        """Count a call outside compiled code, and look at some."""
        mode = reg.training, torch.is_grad_enabled()
        calls = self.calls[mode] = self.calls.get(mode, 0) + 1
        if is_look(calls):
            self._look(reg, batch, losses, calls)

    def _look(self, reg: "Regularizer", batch: Batch, losses: dict[str, Tensor], calls: int) -> None:
        faults = [] if torch.is_grad_enabled() else list(moved_statistics(reg))
        if is_readable(batch):
            numbers = self.later.read(lambda: measured(batch, losses))
            faults += [] if numbers is None else faults_of(reg, Numbers(*numbers))
        for fault in faults:
            if fault.kind not in self.reported and (fault.kind != "collapsed_codes" or calls >= SETTLED):
                self.reported.add(fault.kind)
                warn(f"{fault.message}; {fault.remedy}")

    def __reduce__(self) -> tuple[Any, ...]:  # a copy looks for itself
        return Looks, ()


def moved_statistics(reg: "Regularizer") -> Iterator[Fault]:
    """Networks whose batch statistics a call without gradients has changed."""
    roles = {"critic": reg, "encoder": reg.encoder, "decoder": reg.decoder}
    layers = {role: layer for role, network in roles.items() if (layer := _moving(network)) is not None}
    if layers:
        kind = type(next(iter(layers.values()))).__name__
        mend = ", ".join(f"{'reg' if role == 'critic' else role}.eval()" for role in layers)
        yield Fault(
            "moved_statistics",
            f"reg(x) without gradients: expected evaluation mode, but the {kind} of the {' and the '.join(layers)} is "
            "in training mode, so data that is not trained on moves its running statistics",
            f"call {mend} before, and .train() after",
        )


def is_readable(batch: Batch) -> bool:
    """Whether x has values that can be read here: no fake tensor, transform or captured graph."""
    x = batch.samples
    if is_transformed() or torch._C._len_torch_dispatch_stack() or not (x.is_floating_point() and x.numel()):
        return False
    return x.device.type in ("cpu", "cuda") and _has_memory(x) and not is_capturing(x)


@torch.no_grad()
def measured(batch: Batch, losses: dict[str, Tensor]) -> Tensor:
    """The :class:`Numbers` of a batch, as one tensor on its device."""
    x, mask = batch.samples.detach(), batch.mask
    finite = x.isfinite()
    if mask is not None and has_positions(x, mask):
        mask = mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))
        bad, finite = (mask & ~finite).sum() / (mask.expand_as(x).sum()), finite & mask
    else:
        bad = 1 - finite.double().mean()
    low, high = x.masked_fill(~finite, math.inf).amin(), x.masked_fill(~finite, -math.inf).amax()
    floor, ceiling = reach(batch.known_output)
    missed = standing = torch.zeros((), device=x.device)
    if (floor, ceiling) != (-math.inf, math.inf):
        missed = (finite & ((x < floor - SLACK) | (x > ceiling + SLACK))).sum() / finite.sum().clamp(min=1)
    codes = _beside(x, [] if batch.known_z is None else [batch.known_z])
    if codes and len(x) > 1 and codes[0].numel():
        varies = ((x != x[:1]) & finite & finite[:1]).any()
        standing = _is_constant(codes[0], mask) & varies
    finite_losses = [loss.isfinite() for loss in _beside(x, losses.values())]
    are_finite = torch.stack([*finite_losses, torch.ones_like(finite.all())]).all()
    unscaled = _looks_unscaled(x, finite, low, high)
    limits = [x.new_full((), limit, dtype=torch.float64) for limit in (floor, ceiling)]
    return torch.stack([
        each.double() for each in (bad, low, high, unscaled, *limits, missed, standing, are_finite)
    ])  # fmt: skip


def faults_of(reg: "Regularizer", numbers: Numbers) -> Iterator[Fault]:
    """What is surely wrong, from the numbers of a look."""
    n = numbers
    span = f"{n.low:.6g} to {n.high:.6g}"
    if not n.finite_losses:
        where = f"{100 * n.not_finite:.3g} % of the values of x are NaN or infinite" if n.not_finite else ""
        remedy = "x = torch.nan_to_num(x), or a loss over the values that are there" if where else ""
        yield Fault(
            "not_finite",
            f"a loss is not finite: {where or 'x is, so it began in a network or in a term'}",
            remedy or "with reg.detect_nonfinite(): losses = reg(x) says in which layer",
        )
    if n.unscaled:
        yield Fault("range", f"x: expected data scaled to about [-1, 1], got values from {span}", _scaling(n))
    elif _has_bernoulli(reg) and (n.low < -1 - SLACK or n.high > 1 + SLACK):
        yield Fault(
            "bernoulli_range",
            f"reconstruction: 'bernoulli' expects x in [-1, 1], got values from {span}, whose loss has no minimum",
            "scale x to [-1, 1], or use reconstruction='mse'",
        )
    elif _has_bernoulli(reg) and 0 <= n.low < 0.5 < n.high <= 1 + SLACK:
        yield Fault(
            "bernoulli_range",
            f"reconstruction: 'bernoulli' expects x in [-1, 1], whose (x + 1) / 2 are probabilities, got {span}",
            "x = 2 * x - 1",
        )
    elif n.missed > OUT_OF_REACH:
        yield Fault(
            "out_of_reach",
            f"decoder: its last operation gives values in [{n.floor:g}, {n.ceiling:g}], but {100 * n.missed:.0f} % of "
            f"the values of x, which is from {span}, lie beyond",
            _fitting(n),
        )
    if n.standing:
        yield Fault(
            "collapsed_codes",
            "codes: all codes of a batch of different samples are equal, so the autoencoder has collapsed",
            "lower the weights of the priors and critics, or the learning rate; interpreg.diagnose(reg, x) says more",
        )


def reach(images: object) -> tuple[float, float]:
    """The range of the operation that made images, read from their graph; infinite where it is not known."""
    node: Any = getattr(images, "grad_fn", None)
    while node is not None:
        name = node.name().rstrip("0123456789").removesuffix("Backward")
        if name in RANGES:
            return RANGES[name]
        if name in LIMITS:
            low, high = (getattr(node, attribute, None) for attribute in LIMITS[name])
            if not all(limit is None or isinstance(limit, (int, float)) for limit in (low, high)):
                break
            return -math.inf if low is None else float(low), math.inf if high is None else float(high)
        node = node.next_functions[0][0] if name in SAME_VALUES else None
    return -math.inf, math.inf


def _has_memory(value: Tensor) -> bool:
    """Whether a tensor is backed by memory; subclasses without a ``__torch_dispatch__`` of their own are."""
    return type(value).__torch_dispatch__ is Tensor.__torch_dispatch__


def _beside(x: Tensor, values: Iterable[Tensor]) -> list[Tensor]:
    """Those of the values that can be read where x is, plain and without their graph."""
    return [v.detach().as_subclass(Tensor) for v in values if v.device == x.device and _has_memory(v)]


def _is_constant(z: Tensor, mask: Tensor | None) -> Tensor:
    """Whether codes are the same for all samples, up to a few roundings."""
    if mask is not None and z.shape[:2] == mask.shape[:2]:
        z = z * mask.reshape(*mask.shape[:2], *(1,) * (z.ndim - 2))
    spread, scale = z.amax(0) - z.amin(0), z.abs().amax()
    return (spread <= 8 * torch.finfo(z.dtype).eps * scale).all() & scale.isfinite()


def _looks_unscaled(x: Tensor, finite: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Values as images and signals have them before they are divided; counts in tables are left alone."""
    whole = ((x == x.round()) | ~finite).all()
    if x.ndim == 4 and x.shape[1] == 3:  # colour images, perhaps resized
        return (whole & (torch.maximum(high, -low) > 2)) | ((low >= 0) & (high > 128) & (high <= 255))
    if x.ndim > 2:
        return whole & (torch.maximum(high, -low) > 2)
    return whole & (low == 0) & (high > 127) & (high <= 255)  # flattened 8-bit images


def _scaling(n: Numbers) -> str:
    """The line that scales whole numbers; the divisor is that of the format, never of the batch."""
    if n.low >= 0 and 16 < n.high <= 255:
        return "x = x / 127.5 - 1 for 8-bit images"
    if n.low >= 0 and n.high > 255:
        return "x = 2 * x / top - 1, with top the largest value of the format: 65535 for 16 bits, 4095 for 12 bits"
    return "x = 2 * (x - low) / (high - low) - 1, with the least and the largest value that the data can have"


def _fitting(n: Numbers) -> str:
    """What brings x and the decoder's range together."""
    if n.low >= -1 - SLACK and n.high <= 1 + SLACK and n.floor == 0:
        return "end the decoder in a tanh, or scale x = (x + 1) / 2"
    if n.floor == -1 and n.low >= 0 and 16 < n.high <= 255:
        return "x = x / 127.5 - 1 for 8-bit images"
    return "end the decoder in a linear layer, or scale x into its range"


def _has_bernoulli(reg: "Regularizer") -> bool:
    return any(getattr(part, "loss", None) == "bernoulli" for part in (reg, *reg._below))


def _moving(network: object) -> nn.Module | None:
    """A layer in training mode that keeps running statistics."""
    layers = (m for m in submodules_of(network) if isinstance(m, _NormBase) and m.training)
    return next((layer for layer in layers if layer.running_mean is not None), None)
