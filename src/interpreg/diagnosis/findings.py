"""Checks of values: the data, the bandwidths, what is not finite."""

import math
from collections.abc import Iterator

from interpreg.diagnosis.case import Case
from interpreg.diagnosis.result import Finding
from interpreg.mmd.degenerate import degeneracy_on
from interpreg.priors import Normal
from interpreg.regularizers import MMDPrior
from interpreg.regularizers.looks import Numbers, faults_of, measured
from interpreg.regularizers.mmd_prior import _samples
from interpreg.regularizers.nonfinite import fault_of
from interpreg.regularizers.trace import is_finite


def not_finite(case: Case) -> Iterator[Finding]:
    """Losses and gradients that are not finite; parameters that hold NaN."""
    fault = fault_of(case.reg, case.trace, case.losses, case.weights)
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
