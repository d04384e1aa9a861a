"""The truth: dense, obvious, differentiable to any order, in the inputs' own precision."""

import torch
from torch import Tensor

from interpreg.mmd.closed_form import Potential
from interpreg.mmd.request import Request

SMALL = 8  # coordinates up to which distances are differences, not expanded: close pairs keep their digits


def value(request: Request) -> Tensor:
    """The combination of the request's sums, 0-dim; memory n x m, and again for every order of derivative."""
    x, y, u, v, coefs, kernel, (xx, yy, xy), _ = request
    coefs = coefs.to(x.dtype)
    total = x.new_zeros(())
    if xx:
        total = total + coefs[0] * within(kernel.profile(squared_distances(x, x)), u)
    if yy and y is not None:
        total = total + coefs[1] * within(kernel.profile(squared_distances(y, y)), v)
    if xy and y is not None:
        total = total + coefs[2] * weighted(kernel.profile(squared_distances(x, y)), u, v)
    if (closed := request.closed) is not None:
        total = total + coefs[3] * potential_sum(x, u, closed.potential)
        total = total + torch.full_like(total, closed.self_energy)  # a number would make tangents float64
    return total


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """``[n, m]``. Each set is centred first, or the expansion cancels; the means' difference is carried along."""
    mean_x, mean_y = x.detach().mean(0), y.detach().mean(0)
    if x.shape[1] <= SMALL:
        middle = (mean_x + mean_y) / 2  # what is not finite stays visible
        return ((x - middle)[:, None] - (y - middle)).square().sum(2)
    apart = mean_x - mean_y
    x, y = x - mean_x, y - mean_y
    rows = (x * (x + 2 * apart)).sum(1)[:, None]  # [n, 1]
    columns = (y * (y - 2 * apart)).sum(1)[None]  # [1, m]
    return (rows + columns + apart.dot(apart) - 2 * x @ y.T).clamp(min=0)


def within(values: Tensor, weights: Tensor | None) -> Tensor:
    """The sum off the diagonal."""
    return weighted(
        values.masked_fill(torch.eye(len(values), dtype=torch.bool, device=values.device), 0), weights, weights
    )


def weighted(values: Tensor, u: Tensor | None, v: Tensor | None) -> Tensor:
    """The sum of ``[n, m]`` values, rows weighted by u and columns by v."""
    if u is not None:
        values = u[:, None] * values
    if v is not None:
        values = values * v
    return values.sum()


def potential_sum(x: Tensor, u: Tensor | None, potential: Potential) -> Tensor:
    """The weighted sum of a prior's potential over the samples; memory n times the mixture's terms."""
    sq = (x - potential.mean).square().sum(1, keepdim=True)  # [n, 1]
    weights, shifts, rates = x.new_tensor([potential.weights, potential.shifts, potential.rates])
    exponents = shifts - rates * sq  # [n, q]
    felt: Tensor = (exponents.expm1() if potential.relative else exponents.exp()) @ weights
    return felt.sum() if u is None else felt @ u
