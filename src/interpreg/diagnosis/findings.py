"""Checks of values: the data, the codes, the bandwidths, what is not finite."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from interpreg._networks import submodules_of
from interpreg.bottlenecks import VectorQuantizer
from interpreg.diagnosis.case import Case
from interpreg.diagnosis.result import Finding
from interpreg.functional.means import has_positions
from interpreg.mmd.degenerate import degeneracy_on
from interpreg.priors import Normal
from interpreg.regularizers import MMDPrior
from interpreg.regularizers.looks import Numbers, faults_of, measured
from interpreg.regularizers.mmd_prior import _samples
from interpreg.regularizers.nonfinite import fault_of, is_finite

DEAD = 1e-6  # of the largest element's standard deviation


def not_finite(case: Case) -> Iterator[Finding]:
    """Losses and gradients that are not finite; parameters that hold NaN."""
    fault = fault_of(case.reg, case.trace, case.x, case.losses)
    if fault:
        yield Finding("not_finite", "error", fault, "mend it where it began; everything behind it follows")


def data(case: Case) -> Iterator[Finding]:
    """Data that networks or losses do not expect."""
    numbers = Numbers(*measured(case.batch, case.losses).tolist())
    for fault in faults_of(case.reg, numbers):
        if fault.kind not in ("not_finite", "collapsed_codes"):
            yield Finding(fault.kind, "warning", fault.message, fault.remedy)
    if numbers.not_finite and numbers.finite_losses:
        message = (
            f"x: {100 * numbers.not_finite:.3g} % of its values are NaN or infinite, and the losses are finite"
        )
        yield Finding("missing_values", "warning", message, "nothing, if the networks and losses leave them out")


def codes(case: Case) -> Iterator[Finding]:
    """Codes that are all equal, or elements of them that do not vary."""
    z = rows_of(case.batch.known_z, case.mask)
    if z is None or len(z) < 2 or not is_finite(z) or not _varies(rows_of(case.x, case.mask)):
        return
    spread = (z - z[0]).std(0)
    constant = spread <= 8 * torch.finfo(case.batch.z.dtype).eps * z.abs().amax()
    if constant.all():
        yield Finding(
            "collapsed_codes", "error", "codes: all codes of the batch are equal, so the autoencoder has collapsed",
            "lower the weights of priors and critics, or the learning rate, and start again",
        )  # fmt: skip
        return
    if any(isinstance(module, VectorQuantizer) for module in submodules_of(case.reg.encoder)):
        return  # whose codes are few on purpose
    dead = int((constant | (spread <= DEAD * spread.max())).sum())
    if dead:
        share = f"{dead} of {z.shape[1]} elements ({100 * dead / z.shape[1]:.0f} %)"
        yield Finding(
            "dead_units", "warning", f"codes: {share} do not vary over {len(z)} samples",
            "lower the weight of a sparsity or prior term, or make the code smaller",
        )  # fmt: skip


def degenerate_mmd(case: Case) -> Iterator[Finding]:
    """An MMD whose kernel matrix is all 0 or all 1."""
    for part in case.reg.modules():
        if not isinstance(part, MMDPrior) or part.kernel.needs_median:
            continue
        z, weights = _samples(case.batch)
        z = z.detach() if weights is None else z.detach()[weights > 0]
        if len(z) < 2 or not is_finite(z):
            continue
        spread = part.prior.spread(z.shape[1])
        kernel = part.kernel.resolved(math.sqrt(z.shape[1]) if spread is None else spread)
        is_normal = isinstance(part.prior, Normal)
        y = None if is_normal else part.prior.sample(len(z), z.float(), part.generator).to(z)
        fault = degeneracy_on(kernel, z, y, spread if is_normal else None)
        if fault:
            message, remedy = fault.split("; ")
            yield Finding("degenerate_mmd", "error", message, remedy)


def rows_of(values: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Values as ``[n, d]``: a row a sample, or with a mask a row a valid position."""
    if values is None:
        return None
    values = values.detach().double()
    if mask is not None and has_positions(values, mask):
        return values[mask].flatten(1)
    return values.reshape(len(values), -1)


def _varies(rows: Tensor | None) -> bool:
    return rows is not None and bool((rows != rows[:1]).any())
