"""Mixing more than two codes: each mixed code is one of the own code and a combination of the others."""

import torch
from torch import Tensor

from interpreg._types import Mix
from interpreg.functional.mixing import mix


def dirichlet_mix(z: Tensor, others: Tensor, uniform: Tensor) -> Mix:
    r"""A convex mix of k codes with weights from the flat Dirichlet distribution (AMR's k-way mixup).

    .. math:: z_\mathrm{mix} = \sum_k w_k z_k, \qquad w_k = \frac{e_k}{\sum_j e_j}, \quad e_k = -\ln(1 - u_k)

    Args:
        z: own codes ``[B, ...]``.
        others: ``[k - 1, B, ...]``.
        uniform: u, draws from U(0, 1), ``[k, B]``.

    Returns:
        The mixed codes; 1 - the largest weight, ``[B, 1, ...]``; the barycentre of the others.
    """
    exponential = -torch.log1p(-uniform)  # normalised: Dirichlet(1, ..., 1)
    exponential = exponential.clamp_min(torch.finfo(exponential.dtype).tiny)
    weights = exponential / exponential.sum(0)  # [k, B]
    weights = weights.view(*weights.shape, *[1] * (z.ndim - 1))
    share = exponential[1:] / exponential[1:].sum(0)
    partner = (share.view(*share.shape, *[1] * (z.ndim - 1)) * others.to(uniform.dtype)).sum(0).to(z.dtype)
    return Mix(mix(z, partner, weights[0]), 1 - weights.amax(0), partner)


def one_of_k(z: Tensor, others: Tensor, uniform: Tensor) -> Mix:
    """Every channel or element whole from one of the k codes, each as likely (AMR's k-way Bernoulli mixup).

    Args:
        z: own codes ``[B, ...]``.
        others: ``[k - 1, B, ...]``.
        uniform: draws from U(0, 1), one for each independent choice; broadcasts to the codes.

    Returns:
        The mixed codes; 1 where the own code was chosen and 0 elsewhere; the channels or elements of the others.
    """
    ways = len(others) + 1
    choice = (uniform * ways).floor().clamp_max(ways - 1)
    alpha = (choice == ways - 1).to(uniform.dtype)
    partner = others[0]
    for way in range(1, ways - 1):
        partner = torch.where(choice == way, others[way], partner)
    return Mix(mix(z, partner, alpha), alpha, partner)
