r"""How raw sums become an estimate of :math:`\mathrm{MMD}^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)`.

With weights that sum to one (1 / n each, where none are given):

- unbiased (Gretton et al. 2012, Lemma 6): :math:`E k(x, x') \approx xx / (1 - \sum_i u_i^2)`; negative half of the time
  where the distributions agree.
- biased (ibid., eq. 5): :math:`E k(x, x') \approx xx + k(0) \sum_i u_i^2`; never negative.
"""

from typing import NamedTuple

import torch
from torch import Tensor

SWEPT = ("unbiased", "biased")


class Estimate(NamedTuple):
    """The coefficients of the raw sums and what is added to them."""

    coefs: Tensor
    """[4] float64: of xx, yy, xy, xp."""
    constant: float | Tensor


def coefficients(
    estimator: str, n: int, m: int | None, u: Tensor | None, v: Tensor | None, at_zero: float, device: torch.device
) -> Estimate:
    """The estimator's coefficients. ``m=None``: the second set is a prior in closed form."""
    if u is None and v is None:
        return _kept(estimator, n, m, at_zero, device)
    share_u = (
        u.double().square().sum() if u is not None else torch.full((), 1 / n, dtype=torch.float64, device=device)
    )
    share_v = v.double().square().sum() if v is not None else torch.zeros_like(share_u) + (1 / m if m else 0.0)
    ones = torch.ones_like(share_u)
    # where only one set is weighted, the other's ones still have to be divided by their number
    scale_u = ones if u is not None else ones / n
    scale_v = ones if v is not None else ones / (m or 1)
    unbiased = estimator == "unbiased"
    xx = scale_u**2 / (1 - share_u) if unbiased else scale_u**2
    yy = scale_v**2 / (1 - share_v) if unbiased else scale_v**2
    coefs = torch.stack([xx, yy if m else ones * 0, -2 * scale_u * scale_v, -2 * scale_u])
    diagonal = 0.0 if unbiased else at_zero * (share_u + (share_v if m else 0.0))
    return Estimate(coefs, diagonal)


def _unweighted(estimator: str, n: int, m: int | None, at_zero: float, device: torch.device) -> Estimate:
    unbiased = estimator == "unbiased"

    def own(count: int) -> float:
        return 1 / (count * (count - 1) if unbiased else count**2)

    coefs = [own(n), own(m) if m else 0.0, -2 / (n * m) if m else 0.0, -2 / n]
    diagonal = 0.0 if unbiased else at_zero * (1 / n + (1 / m if m else 0.0))
    return Estimate(torch.tensor(coefs, dtype=torch.float64, device=device), diagonal)


_known: dict[tuple[str, int, int | None, float, torch.device], Estimate] = {}
KEPT = 1000


def _kept(estimator: str, n: int, m: int | None, at_zero: float, device: torch.device) -> Estimate:
    """The same, made once: a copy to a device would wait for it. Tensors of a transform or a mode are not kept."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
        return _unweighted(estimator, n, m, at_zero, device)
    key = (estimator, n, m, at_zero, device)
    if key not in _known:
        estimate = _unweighted(*key)
        if estimate.coefs.is_inference() or torch._C._are_functorch_transforms_active():
            return estimate
        if len(_known) >= KEPT:
            _known.clear()
        _known[key] = estimate
    return _known[key]
