r"""Estimators, as linear combinations of raw sums, of :math:`\mathrm{MMD}^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)`.

With weights that sum to one (1 / n each where there are none):

- unbiased (Gretton et al. 2012, Lemma 6): :math:`E k(x, x') \approx xx / (1 - \sum_i u_i^2)`; negative half of the time
  where the distributions agree.
- biased (ibid., eq. 5): :math:`E k(x, x') \approx xx + k(0) \sum_i u_i^2`; never negative.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

SWEPT = ("unbiased", "biased")
CACHED_ESTIMATES = 1000


class Estimate(NamedTuple):
    """The coefficients of the raw sums and what is added to them."""

    coefs: Tensor
    """[4] float64: of xx, yy, xy, xp."""
    constant: float | Tensor


def coefficients(
    estimator: str, n: int, m: int | None, u: Tensor | None, v: Tensor | None, at_zero: float, device: torch.device
) -> Estimate:
    """The estimator's coefficients. ``m=None``: the second set is a prior in closed form.

    Weights are given for both sets of samples or for none.
    """
    if u is None and v is None:
        if torch.compiler.is_compiling() or _is_transient():
            return _unweighted(estimator, n, m, at_zero, device)
        with torch.inference_mode(False):
            return _unweighted_once(estimator, n, m, at_zero, device)
    zero = torch.zeros((), dtype=torch.float64, device=device)
    square_u, square_v = (zero if each is None else each.double().square().sum() for each in (u, v))
    unbiased = estimator == "unbiased"
    own_u, own_v = (1 / (1 - square) if unbiased else zero + 1 for square in (square_u, square_v))
    diagonal = 0.0 if unbiased else at_zero * (square_u + square_v)
    return Estimate(torch.stack([own_u, own_v, zero - 2, zero - 2]), diagonal)


def _is_transient() -> bool:
    """Whether new tensors belong to a dispatch mode or a transform, and so must not be cached."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._are_functorch_transforms_active()


def _unweighted(estimator: str, n: int, m: int | None, at_zero: float, device: torch.device) -> Estimate:
    unbiased = estimator == "unbiased"

    def own(count: int) -> float:
        return 1 / (count * (count - 1) if unbiased else count**2)

    coefs = [own(n), own(m) if m else 0.0, -2 / (n * m) if m else 0.0, -2 / n]
    diagonal = 0.0 if unbiased else at_zero * (1 / n + (1 / m if m else 0.0))
    return Estimate(torch.tensor(coefs, dtype=torch.float64, device=device), diagonal)


# copying numbers to a device synchronizes with it
_unweighted_once = lru_cache(maxsize=CACHED_ESTIMATES)(_unweighted)
