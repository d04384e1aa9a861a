"""The divergence of codes from sparse ones."""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg.functional.means import check_mask, has_positions


def sparsity_kl(z: Tensor, target: float = 0.05, mask: Tensor | None = None) -> Tensor:
    r"""The divergence of each unit's mean activation from a small target, averaged over units.

    .. math::
        \frac{1}{d} \sum_{j=1}^d \rho \ln \frac{\rho}{\hat\rho_j} + (1 - \rho) \ln \frac{1 - \rho}{1 - \hat\rho_j},
        \qquad \hat\rho_j = \frac{1}{B} \sum_{b=1}^B \mathrm{sigmoid}(z_{bj})

    (Ng 2011, lecture notes on the sparse autoencoder, which sums over units.)

    Args:
        z: codes ``[B, ...]``, floating point; each element of a code is a unit, and its activation the sigmoid of it.
        target: rho, in (0, 1).
        mask: boolean ``[B, T]`` of padded sequences. Where codes are ``[B, T, ...]`` of rank 3 or more, the units are
            the elements of one position, and the mean is over valid positions.

    Returns:
        0-dim, at least 0, fp32 or wider; 0 where nothing is valid.

    Raises:
        TypeError, ValueError: an argument of the wrong type, shape or range.

    >>> sparsity_kl(torch.zeros(4, 3), target=0.5)
    tensor(0.)
    """
    _checks.check_tensor("z", z)
    target = as_target(target)
    z = as_wide(z)
    if mask is not None:
        check_mask(mask, z.shape[0])
        mask = mask if has_positions(z, mask) else None
    if mask is None:
        units = z.reshape(z.shape[0], -1)
        valid = torch.ones(len(units), dtype=torch.bool, device=z.device)
    else:
        units, valid = z.flatten(0, 1).flatten(1), mask.flatten()
    count = valid.sum()
    # in logarithms, because the sigmoid of a unit that is off everywhere is 0, whose logarithm is infinite
    log_on, log_off = (_log_mean_sigmoid(side, valid, count) for side in (units, -units))
    divergence = target * (math.log(target) - log_on) + (1 - target) * (math.log(1 - target) - log_off)
    return torch.where(count > 0, divergence.mean(), torch.zeros_like(divergence[0]))


def as_target(target: float) -> float:
    """``target`` as a float; ``TypeError`` or ``ValueError`` unless it is strictly between 0 and 1."""
    number = _checks.as_number("target", target, high=1.0)
    if number in (0.0, 1.0):
        raise ValueError(f"target: expected a number strictly between 0 and 1, got {target!r}")
    return number


def _log_mean_sigmoid(units: Tensor, valid: Tensor, count: Tensor) -> Tensor:
    logs = logsigmoid(units).masked_fill(~valid[:, None], -torch.inf)
    return logs.logsumexp(0) - count.clamp_min(1).to(units.dtype).log()
