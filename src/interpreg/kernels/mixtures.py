r"""Kernels as mixtures of Gaussians, by one-dimensional quadrature in the logarithm of the rate.

By Bernstein's theorem a kernel that is completely monotone in the squared distance is

.. math:: p(t) = \int_0^\infty e^{-s t} \, \rho(s) \, ds = \int_{-\infty}^\infty e^{-e^v t} \rho(e^v) e^v \, dv .

The integrand is analytic for :math:`|\mathrm{Im}\, v| < \pi / 2`, so the trapezoidal rule with step h errs by about
:math:`e^{-\pi^2 / h}` (Trefethen & Weideman 2014, Theorem 5.1): 3e-10 for the step used here. The range ends where
the neglected mass is below 1e-8.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from interpreg.kernels.base import Mixture

STEP = 0.45  # in the logarithm of the rate
CUTOFF_EXPONENT = 18.5  # exp(-18.5) = 1e-8
UNDERFLOW_EXPONENT = 40.0  # exp(-40) = 4e-18 is negligible


def rational_quadratic(widths: tuple[float, ...], alpha: float) -> Mixture:
    r""":math:`\rho = \sum \beta^\alpha s^{\alpha-1} e^{-\beta s} / \Gamma(\alpha)`, :math:`\beta = 2\alpha\sigma^2`."""

    def density(s: np.ndarray) -> Any:
        logs = [alpha * np.log(b) + (alpha - 1) * np.log(s) - b * s - math.lgamma(alpha) for b in betas]
        return np.exp(logs).sum(0)

    betas = [2 * alpha * width**2 for width in widths]
    low = -math.log(max(betas)) - (CUTOFF_EXPONENT - math.lgamma(alpha + 1)) / alpha
    high = -math.log(min(betas)) + math.log(UNDERFLOW_EXPONENT + 4 * alpha)
    # a large alpha gives a narrow peak, which needs a smaller step
    return _quadrature(density, min(low, high - 1), high, step=STEP / math.sqrt(1 + alpha / 3))


def laplacian(widths: tuple[float, ...]) -> Mixture:
    r""":math:`\rho(s) = \sum_\sigma a s^{-3/2} e^{-a^2 / (4 s)} / (2 \sqrt\pi)`, :math:`a = 1 / \sigma`."""

    def density(s: np.ndarray) -> Any:
        return sum(a / (2 * math.sqrt(math.pi)) * s**-1.5 * np.exp(-(a**2) / (4 * s)) for a in rates)

    rates = [1 / width for width in widths]
    low = 2 * math.log(min(rates)) - math.log(4 * UNDERFLOW_EXPONENT)
    return _quadrature(density, low, 2 * math.log(max(rates)) + 2 * CUTOFF_EXPONENT)


def energy(typical: float) -> Mixture:
    r""":math:`-r = \int_0^\infty (e^{-s r^2} - 1) \, s^{-3/2} / (2 \sqrt\pi) \, ds`, around a typical :math:`r^2`."""

    def density(s: np.ndarray) -> Any:
        return s**-1.5 / (2 * math.sqrt(math.pi))

    middle = -math.log(typical)
    return _quadrature(density, middle - 2 * CUTOFF_EXPONENT, middle + 2 * CUTOFF_EXPONENT, relative=True)


def _quadrature(
    density: Callable[[np.ndarray], Any], low: float, high: float, *, step: float = STEP, relative: bool = False
) -> Mixture:
    rates = np.exp(np.arange(low, high + step, step))
    weights = density(rates) * rates * step
    return Mixture(tuple(rates.tolist()), tuple(weights.tolist()), relative)
