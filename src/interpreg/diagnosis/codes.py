"""Checks of codes: whether they differ, in how many ways, and whether a posterior says anything."""

from collections.abc import Iterator

import torch
from torch import Tensor

from interpreg._networks import submodules_of
from interpreg.bottlenecks import VectorQuantizer
from interpreg.diagnosis.case import Case
from interpreg.diagnosis.result import Finding
from interpreg.functional.means import has_positions
from interpreg.regularizers import KLPrior
from interpreg.regularizers.trace import is_finite

DEAD = 1e-6  # of the largest element's standard deviation
LINE = 1e-5  # of the largest distance, beside a line
FEW = 8  # samples, of which two or three codes are no chance
SILENT = 0.01  # nats a sample, and the share of the posterior's standard deviation by which its means vary
_ADVICE = (
    "in training, lower the weights of priors and critics, or the learning rate, and start again; before it, {}"
)


def collapsed(case: Case) -> Iterator[Finding]:
    """Codes that are all equal or hardly differ, or elements of them that do not vary."""
    z = rows_of(case.batch.known_z, case.mask)
    x = rows_of(case.x, case.mask)
    if z is None or x is None or len(z) < 2 or not is_finite(z) or not (x != x[:1]).any():
        return
    spread = (z - z[0]).std(0)
    constant = spread <= 8 * torch.finfo(case.batch.z.dtype).eps * z.abs().amax()
    if constant.all():
        yield Finding(
            "collapsed_codes", "error", "codes: all codes of the batch are equal, so the autoencoder has collapsed",
            _ADVICE.format("initialise or normalise the encoder so that its signal does not vanish"),
        )  # fmt: skip
        return
    if any(isinstance(module, VectorQuantizer) for module in submodules_of(case.reg.encoder)):
        return  # whose codes are few on purpose
    how = _degenerate(z, x)
    if how:
        yield Finding(
            "collapsed_codes", "warning", f"codes: {how}, so the autoencoder has all but collapsed",
            _ADVICE.format("look at what the encoder does last"),
        )  # fmt: skip
    dead = int((constant | (spread <= DEAD * spread.max())).sum())
    if dead and not how:
        share = f"{dead} of {z.shape[1]} elements ({100 * dead / z.shape[1]:.0f} %)"
        yield Finding(
            "dead_units", "warning", f"codes: {share} do not vary over {len(z)} samples",
            "lower the weight of a sparsity or prior term, or make the code smaller; behind a ReLU, give a larger "
            "batch to see which of them are never above 0",
        )  # fmt: skip


def posteriors(case: Case) -> Iterator[Finding]:
    """Posteriors that are the prior for every sample, so that the decoder is told nothing."""
    for part in case.reg.modules():
        if not isinstance(part, KLPrior) or case.mask is not None:
            continue
        posterior = case.batch.aux(part.bottleneck)
        mean, log_var = (
            each.detach().double().reshape(len(each), -1) for each in (posterior.mean, posterior.log_variance)
        )
        if len(mean) < 2 or not (case.x != case.x[:1]).any():
            continue
        nats = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1).mean()
        if nats < SILENT and (mean.std(0) < SILENT * (0.5 * log_var).exp().mean(0)).all():
            yield Finding(
                "posterior_collapse", "warning",
                f"codes: the posterior of every sample is the prior ({nats:.1g} nats a sample), so the codes say "
                "nothing of x",
                "lower the weight of the kl term, or raise it from 0: weight=Ramp(1.0, over=10_000)",
            )  # fmt: skip


def _degenerate(z: Tensor, x: Tensor) -> str:
    """How the codes of a batch of different samples lie, where that is in two points or on a line."""
    distinct = len(z.unique(dim=0))
    if len(z) >= FEW and distinct <= 2 and len(x.unique(dim=0)) > FEW // 2:
        return f"{len(z)} samples have {distinct} codes between them"
    if z.shape[1] < 3 or distinct < 4:
        return ""
    away = z - z[0]
    lengths = away.norm(dim=1)
    direction = away[lengths.argmax()] / lengths.max()
    beside = (away - (away @ direction)[:, None] * direction).norm(dim=1).max()
    return (
        f"all {z.shape[1]} elements depend on one number: they lie on a line"
        if beside < LINE * lengths.max()
        else ""
    )


def rows_of(values: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Values as ``[n, d]``: a row a sample, or with a mask a row a valid position."""
    if values is None:
        return None
    values = values.detach().double()
    if mask is not None and has_positions(values, mask):
        return values[mask].flatten(1)
    return values.reshape(len(values), -1)
