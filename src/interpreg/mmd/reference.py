"""The reference backend: dense, differentiable to any order, in the precision of the inputs."""

import torch
from torch import Tensor

from interpreg.mmd.closed_form import Potential
from interpreg.mmd.request import Request

# up to this dimension squared distances are summed differences, not expanded: close pairs keep their digits
DIRECT_DIMENSION = 8


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
        # adding a Python number would make tangents float64
        total = total + torch.full_like(total, closed.self_energy)
    return total


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances ``[n, m]``; both sets are centred against cancellation, and the means' difference is added."""
    mean_x, mean_y = x.detach().mean(0), y.detach().mean(0)
    if x.shape[1] <= DIRECT_DIMENSION:
        # centred here too, because a mean propagates NaN and inf
        middle = (mean_x + mean_y) / 2
        return ((x - middle)[:, None] - (y - middle)).square().sum(2)
    apart = mean_x - mean_y
    x, y = x - mean_x, y - mean_y
    rows = (x * (x + 2 * apart)).sum(1)[:, None]  # [n, 1]
    columns = (y * (y - 2 * apart)).sum(1)[None]  # [1, m]
    return (rows + columns + apart.dot(apart) - 2 * x @ y.T).clamp(min=0)


def within(values: Tensor, weights: Tensor | None) -> Tensor:
    """The weighted sum off the diagonal."""
    diagonal = torch.eye(len(values), dtype=torch.bool, device=values.device)
    return weighted(values.masked_fill(diagonal, 0), weights, weights)


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
    values: Tensor = (exponents.expm1() if potential.relative else exponents.exp()) @ weights
    return values.sum() if u is None else values @ u
