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
from interpreg._numerics import has_memory
from interpreg._warnings import warn
from interpreg.batch import Batch
from interpreg.functional.means import has_positions
from interpreg.mmd.dispatch import is_transformed
from interpreg.regularizers.reach import as_limits, limits_of

if TYPE_CHECKING:
    from interpreg.regularizers.base import Regularizer

OUT_OF_REACH = 0.05  # share of values of x that a decoder's last operation may miss
SETTLED = 8  # calls, before which quantized codes may be equal by their initialisation
SLACK = 0.05  # beyond its range, before a value of x counts as missed
TOPS = 255, 1023, 4095, 16383, 65535  # the largest values of formats of 8 to 16 bits
TOP = 0.98  # of these, which the largest value of a batch of images reaches
WHOLE, UNDIVIDED, TWICE = 1, 2, 3
LARGE = 100  # above which whole numbers are no labels


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
    """``UNDIVIDED`` where x is as 8-bit or 16-bit values are before they are divided, ``WHOLE`` where small whole
    numbers may be labels, too, ``TWICE`` where images were divided twice; else 0."""
    floor: float
    ceiling: float
    """The least and the largest value that the decoder's last operations give."""
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
    return x.device.type in ("cpu", "cuda") and has_memory(x) and not is_capturing(x)


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
    standing = missed = torch.zeros((), device=x.device)
    outputs = [batch.known_output] if isinstance(batch.known_output, Tensor) else []
    limits = limits_of(batch.known_output, SLACK) if _beside(x, outputs) else None
    if limits is None:
        limits = as_limits(-math.inf, math.inf, x)
    else:
        beyond = finite & ((x < limits[0] - SLACK) | (x > limits[1] + SLACK))
        missed = beyond.sum() / finite.sum().clamp(min=1)
    codes = _beside(x, [] if batch.known_z is None else [batch.known_z])
    if codes and len(x) > 1 and codes[0].numel():
        varies = ((x != x[:1]) & finite & finite[:1]).any()
        standing = _is_constant(codes[0], mask) & varies
    finite_losses = [loss.isfinite() for loss in _beside(x, losses.values())]
    are_finite = torch.stack([*finite_losses, torch.ones_like(finite.all())]).all()
    unscaled = _looks_unscaled(x, finite, low, high)
    return torch.stack([
        each.double() for each in (bad, low, high, unscaled, *limits, missed, standing, are_finite)
    ])  # fmt: skip


def faults_of(reg: "Regularizer", numbers: Numbers) -> Iterator[Fault]:
    """What is surely wrong, from the numbers of a look."""
    n = numbers
    if not n.finite_losses:
        where = f"{100 * n.not_finite:.3g} % of the values of x are NaN or infinite" if n.not_finite else ""
        remedy = "x = torch.nan_to_num(x), or a loss over the values that are there" if where else ""
        yield Fault(
            "not_finite",
            f"a loss is not finite: {where or 'x is, so it began in a network or in a term'}",
            remedy or "with reg.detect_nonfinite(): losses = reg(x) says in which layer",
        )
    yield from _faults_of_range(reg, n)
    if n.standing:
        yield Fault(
            "collapsed_codes",
            "codes: all codes of a batch of different samples are equal, so the autoencoder has collapsed",
            "lower the weights of the priors and critics, or the learning rate; interpreg.diagnose(reg, x) says more",
        )


def _faults_of_range(reg: "Regularizer", n: Numbers) -> Iterator[Fault]:
    """Data in another range than that of the losses or of the decoder."""
    span = f"{n.low:.6g} to {n.high:.6g}"
    is_bernoulli = any(getattr(part, "loss", None) == "bernoulli" for part in (reg, *reg._below))
    compares = any(map(_compares, (reg, *reg._below)))
    if n.unscaled == TWICE:
        message = (
            f"x: expected data scaled to about [-1, 1], got values from {span} only, as of images scaled twice"
        )
        yield Fault(
            "range", message, "x = 2 * x - 1 for images that are in [0, 1] already, as ToTensor() gives them"
        )
    elif n.unscaled == UNDIVIDED or (n.unscaled and compares):
        yield Fault("range", f"x: expected data scaled to about [-1, 1], got values from {span}", _scaling(n))
    elif is_bernoulli and (n.low < -1 - SLACK or n.high > 1 + SLACK):
        yield Fault(
            "bernoulli_range",
            f"reconstruction: 'bernoulli' expects x in [-1, 1], got values from {span}, whose loss has no minimum",
            "scale x to [-1, 1], or use reconstruction='mse'",
        )
    elif is_bernoulli and 0 <= n.low < 0.5 < n.high <= 1 + SLACK:
        yield Fault(
            "bernoulli_range",
            f"reconstruction: 'bernoulli' expects x in [-1, 1], whose (x + 1) / 2 are probabilities, got {span}",
            "x = 2 * x - 1",
        )
    elif is_bernoulli and n.ceiling - n.floor <= 2:
        yield Fault(
            "out_of_reach",
            f"reconstruction: 'bernoulli' expects logits of any size from the decoder, whose last operation gives "
            f"values in [{_bound(n.floor)}, {_bound(n.ceiling)}]",
            "end the decoder in a linear layer; the loss contains the sigmoid",
        )
    elif n.missed > OUT_OF_REACH and compares and not is_bernoulli:
        yield Fault(
            "out_of_reach",
            f"decoder: its last operation gives values in [{_bound(n.floor)}, {_bound(n.ceiling)}], but "
            f"{100 * n.missed:.0f} % of the values of x, which is from {span}, lie beyond",
            _fitting(n),
        )


def _compares(part: "Regularizer") -> bool:
    """Whether a term of it compares decoded images with x by a known loss, or lets a critic judge both."""
    loss = getattr(part, "loss", None)
    if part.name == "latent_critic" or loss is None:
        return bool(part.critic_networks()) and part.name != "latent_critic"
    return isinstance(loss, str) or str(getattr(loss, "__module__", "")).startswith("torch.")


def _bound(limit: float) -> str:
    return f"{round(limit, 4) + 0.0:g}"


def _beside(x: Tensor, values: Iterable[Tensor]) -> list[Tensor]:
    """Those of the values that can be read where x is, plain and without their graph."""
    return [v.detach().as_subclass(Tensor) for v in values if v.device == x.device and has_memory(v)]


def _is_constant(z: Tensor, mask: Tensor | None) -> Tensor:
    """Whether codes are the same for all samples, up to a few roundings."""
    if mask is not None and z.shape[:2] == mask.shape[:2]:
        z = z * mask.reshape(*mask.shape[:2], *(1,) * (z.ndim - 2))
    spread, scale = z.amax(0) - z.amin(0), z.abs().amax()
    return (spread <= 8 * torch.finfo(z.dtype).eps * scale).all() & scale.isfinite()


def _looks_unscaled(x: Tensor, finite: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Values as images and signals have them before they are divided, or after a second division.

    Small whole numbers in tables and sequences are left alone: counts, labels, levels.
    """
    whole = ((x == x.round()) | ~finite).all()
    if x.ndim < 3:  # flattened 8-bit images, sound of 16 bits
        features = x[0].numel()
        image = whole & (low == 0) & (high >= TOP * 255) & (high <= 255) & (features >= 16)
        return UNDIVIDED * (image | (whole & (low < -1000) & (high > 1000) & (features >= 64)))
    undivided = whole & (high > LARGE)
    for top in TOPS:  # perhaps resized
        undivided = undivided | ((low >= 0) & (high >= TOP * top) & (high <= top))
    if x.ndim == 3:
        return UNDIVIDED * undivided
    twice = (low >= -1.02) & (high < -0.98) & (high > low)
    if 3 in (x.shape[1], x.shape[-1], x.shape[-3]):  # colour
        undivided = undivided | ((low >= 0) & (high > 128) & (high <= 255)) | ((low < 0) & (high > LARGE))
        twice = twice | ((low >= 0) & (high > 0) & (high < 0.004))
    small = WHOLE * (whole & (low >= 0) & (high > 2)).double()
    return torch.where(twice, TWICE, torch.where(undivided, UNDIVIDED, small))


def _scaling(n: Numbers) -> str:
    """The line that scales; the divisor is that of the format, never of the batch."""
    if n.low >= 0 and LARGE < n.high <= 255:
        return "x = x / 127.5 - 1 for 8-bit images"
    if n.low >= 0 and n.high > 255:
        return "x = 2 * x / top - 1, with top the largest value of the format: 65535 for 16 bits, 4095 for 12 bits"
    if -255 < n.low < 0:
        return (
            "divide by 255 before the mean is subtracted, as ToTensor() before Normalize(), or x = x / 127.5 - 1"
        )
    sound = "x = x / 32768 for sound of 16 bits, else " if n.low < 0 else ""
    return (
        f"{sound}x = 2 * (x - low) / (high - low) - 1, with the least and the largest value that the data can have"
    )


def _fitting(n: Numbers) -> str:
    """What brings x and the decoder's range together."""
    if n.low >= -1 - SLACK and n.high <= 1 + SLACK and abs(n.floor) < SLACK:
        return "end the decoder in a tanh, or scale x = (x + 1) / 2"
    if n.floor == -1 and n.low >= 0 and LARGE < n.high <= 255:
        return "x = x / 127.5 - 1 for 8-bit images"
    return "end the decoder in a linear layer, or scale x into its range"


def _moving(network: object) -> nn.Module | None:
    """A layer in training mode that keeps running statistics."""
    layers = (m for m in submodules_of(network) if isinstance(m, _NormBase) and m.training)
    return next((layer for layer in layers if layer.running_mean is not None), None)
