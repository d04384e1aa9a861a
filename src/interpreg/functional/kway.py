"""Mixing more than two codes: each mixed code is one of the own code and a combination of the others."""

import torch
from torch import Tensor

from interpreg._types import Mix
from interpreg.functional.means import aligned
from interpreg.functional.mixing import continued, mix


def dirichlet_mix(z: Tensor, others: Tensor, uniform: Tensor, valid: Tensor | None = None) -> Mix:
    r"""A convex mix of k codes with weights from the flat Dirichlet distribution (AMR's k-way mixup).

    .. math:: z_\mathrm{mix} = \sum_k w_k z_k, \qquad w_k = \frac{e_k}{\sum_j e_j}, \quad e_k = -\ln(1 - u_k)

    where at each position of padded sequences the sum in the denominator is over the codes that are valid there.

    Args:
        z: own codes ``[B, ...]``.
        others: ``[k - 1, B, ...]``.
        uniform: u, draws from U(0, 1), ``[k, B]``.
        valid: ``[k, B, T]``, the own codes' first; then codes are 0 in padding.

    Returns:
        The mixed codes; 1 - the largest weight, ``[B, 1, ...]``, or ``[B, T, 1, ...]`` of padded sequences; the
        barycentre of the others.
    """
    exponential = -torch.log1p(-uniform)  # normalised: Dirichlet(1, ..., 1)
    exponential = exponential.clamp_min(torch.finfo(exponential.dtype).tiny)
    exponential = aligned(exponential, others)  # [k, B, 1, ...]
    if valid is not None:
        exponential = exponential * aligned(valid, others)
    weights, share = _shares(exponential), _shares(exponential[1:])
    partner = (share * others.to(uniform.dtype)).sum(0).to(z.dtype)
    return _padded(Mix(mix(z, partner, weights[0]), 1 - weights.amax(0), partner), z, valid)


def one_of_k(z: Tensor, others: Tensor, uniform: Tensor, valid: Tensor | None = None) -> Mix:
    """Every channel or element whole from one of the k codes, each as likely (AMR's k-way Bernoulli mixup).

    At each position of padded sequences it is one of the codes that are valid there.

    Args:
        z: own codes ``[B, ...]``.
        others: ``[k - 1, B, ...]``.
        uniform: draws from U(0, 1), one for each independent choice; broadcasts to the codes.
        valid: ``[k, B, T]``, the own codes' first; then codes are 0 in padding.

    Returns:
        The mixed codes; 1 where the own code was chosen and 0 elsewhere; the channels or elements of the others.
    """
    ways = len(others) + 1
    if valid is None:
        candidates = torch.ones((ways, *[1] * z.ndim), dtype=torch.bool, device=z.device)
    else:
        candidates = aligned(valid, others).roll(-1, 0)  # the own code is the last candidate
    count = candidates.sum(0)
    choice = (uniform * count).floor().clamp(max=count - 1)
    chosen = candidates & (candidates.cumsum(0) - 1 == choice)
    alpha = chosen[-1].to(uniform.dtype)
    partner = others[0]
    for way in range(1, ways - 1):
        partner = torch.where(chosen[way], others[way], partner)
    return _padded(Mix(mix(z, partner, alpha), alpha, partner), z, valid)


def _shares(values: Tensor) -> Tensor:
    """Values divided by their sum along the first axis; 0 where that is 0."""
    return values / values.sum(0).clamp_min(torch.finfo(values.dtype).tiny)


def _padded(mixed: Mix, z: Tensor, valid: Tensor | None) -> Mix:
    """The mix of padded sequences, with coefficients of 0 where only one code is valid, so that nothing is mixed."""
    if valid is None:
        return mixed
    several = aligned(valid.sum(0) > 1, z)
    alpha = torch.where(several, mixed.alpha, torch.zeros_like(mixed.alpha))
    return mixed._replace(
        alpha=alpha, z_partner=continued(mixed.z_partner, z, valid[1:].any(0)), mask=valid.any(0)
    )
