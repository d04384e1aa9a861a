r"""Expectations of a kernel over a normal prior, so that no prior sample is needed.

For :math:`z, z' \sim \mathcal N(\mu, \tau^2 I)` in d dimensions and a Gaussian of rate s,

.. math::
    E_z e^{-s |x - z|^2} &= (1 + 2 s \tau^2)^{-d/2} \exp\!\left(-\frac{s |x - \mu|^2}{1 + 2 s \tau^2}\right), \\
    E_{z z'} e^{-s |z - z'|^2} &= (1 + 4 s \tau^2)^{-d/2},

and every kernel of this package is a mixture of Gaussians (:meth:`Kernel.mixture`): exactly for an RBF, by quadrature
with an absolute error below 1e-7 of ``k(0)`` for the others.
"""

import math
from functools import lru_cache
from typing import NamedTuple

from interpreg import _checks
from interpreg.kernels import Kernel
from interpreg.mmd.estimators import SWEPT
from interpreg.priors import Normal, Prior

NEGLIGIBLE_TERM = 1e-13  # relative to a kernel of about 1


class Potential(NamedTuple):
    r"""Terms of the kernel mean embedding E_z k(x, z), a mixture of Gaussians in x.

    :math:`\sum_q w_q (e^{c_q - b_q |x - \mu|^2} - \delta)`.
    """

    weights: tuple[float, ...]
    shifts: tuple[float, ...]
    rates: tuple[float, ...]
    relative: bool
    mean: float


class Expectations(NamedTuple):
    """Closed-form E_z k(x, z) and E_zz' k(z, z')."""

    potential: Potential
    """E_z k(x, z) as a function of x."""
    self_energy: float
    """E_zz' k(z, z')."""


@lru_cache(maxsize=128)
def expectations(kernel: Kernel, prior: Normal, d: int) -> Expectations:
    """The closed forms in ``d`` dimensions, for a kernel that is a mixture of Gaussians."""
    variance = prior.std**2
    mixture = kernel.mixture(2 * d * variance)
    nodes = list(zip(mixture.weights, mixture.rates, strict=True))
    logs = [-0.5 * d * math.log1p(2 * s * variance) for _, s in nodes]
    terms = [
        (w, shift, s / (1 + 2 * s * variance))
        for (w, s), shift in zip(nodes, logs, strict=True)
        if mixture.relative or w * math.exp(shift) > NEGLIGIBLE_TERM
    ] or [(0.0, 0.0, 0.0)]
    weights, shifts, rates = zip(*terms, strict=True)
    exponents = [-0.5 * d * math.log1p(4 * s * variance) for _, s in nodes]
    values = [math.expm1(e) if mixture.relative else math.exp(e) for e in exponents]
    self_energy = math.fsum(w * value for (w, _), value in zip(nodes, values, strict=True))
    return Expectations(Potential(weights, shifts, rates, mixture.relative, prior.mean), self_energy)


def use_closed_form(choice: bool | str, prior: Prior, kernel: Kernel, estimator: str) -> bool:
    """Whether the closed form is used; ``ValueError`` if ``choice`` is True and there is none."""
    if not (isinstance(choice, bool) or choice == "auto"):
        raise ValueError(f"closed_form: expected 'auto', True or False, got {_checks.describe(choice)}")
    exists = isinstance(prior, Normal) and kernel.is_mixture and not kernel.needs_median and estimator in SWEPT
    if choice is True and not exists:
        raise ValueError(
            "closed_form: expected False or 'auto' without a normal prior, a kernel whose bandwidths are numbers or by "
            f"dimension, and the estimator 'unbiased' or 'biased', got True with {prior}, {kernel}, {estimator!r}"
        )
    return exists and choice is not False
