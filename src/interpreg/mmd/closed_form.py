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

from interpreg.kernels import Kernel, Mixture
from interpreg.priors import Normal

NOTHING = 1e-13  # a term of the mixture that weighs less, beside a kernel of about 1, is left out


class Potential(NamedTuple):
    r"""What a sample feels of a prior: :math:`\sum_q w_q (e^{c_q - b_q |x - \mu|^2} - \delta)`."""

    weights: tuple[float, ...]
    shifts: tuple[float, ...]
    rates: tuple[float, ...]
    relative: bool
    mean: float


class Expectations(NamedTuple):
    """What a kernel and a normal prior say of each other."""

    potential: Potential
    """E k(x, z) as a function of x."""
    self_energy: float
    """E k(z, z')."""


@lru_cache(maxsize=128)
def expectations(kernel: Kernel, prior: Normal, d: int) -> Expectations:
    """The closed forms in ``d`` dimensions, for a kernel that is a mixture of Gaussians."""
    variance = prior.std**2
    mixture = kernel.mixture(2 * d * variance)
    nodes = list(zip(mixture.weights, mixture.rates, strict=True))
    shifts = [-0.5 * d * math.log1p(2 * s * variance) for _, s in nodes]
    felt = [
        (w, shift, s / (1 + 2 * s * variance))
        for (w, s), shift in zip(nodes, shifts, strict=True)
        if mixture.relative or w * math.exp(shift) > NOTHING
    ] or [(0.0, 0.0, 0.0)]
    weights, kept, rates = zip(*felt, strict=True)
    return Expectations(
        Potential(weights, kept, rates, mixture.relative, prior.mean), _self_energy(mixture, d, variance)
    )


def _self_energy(mixture: Mixture, d: int, variance: float) -> float:
    exponents = [-0.5 * d * math.log1p(4 * s * variance) for s in mixture.rates]
    grown = [math.expm1(e) if mixture.relative else math.exp(e) for e in exponents]
    return math.fsum(w * g for w, g in zip(mixture.weights, grown, strict=True))
