"""Blocked PyTorch: any device, any floating type, any kernel; nothing of size n x m is stored."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from interpreg.kernels import Kernel
from interpreg.mmd.closed_form import Potential
from interpreg.mmd.reference import DIRECT_DIMENSION
from interpreg.mmd.request import Request, Swept

# small enough for the cache, large enough for few calls
CPU_TILE_ROWS = (128, 256, 512)
# 64 MiB of fp32; with smaller tiles the device is idle
CUDA_TILE_ROWS = 4096
POTENTIAL_ROWS_PER_BLOCK = 2**16


class Side(NamedTuple):
    """One set augmented: ``left @ other.right.T`` is the squared distance, ``W @ right`` the pull and the mass."""

    left: Tensor  # [n, d + 2]: -2 x, |x|^2, 1
    right: Tensor  # [n, d + 2]: x, 1, |x|^2
    weights: Tensor | None


@torch.no_grad()
def sweep(request: Request, want_x: bool, want_y: bool) -> Swept:
    """The sums and the gradient of their combination, in one pass over tiles."""
    x, y, u, v, coefs, kernel, (xx, yy, xy), _ = request
    sums = x.new_zeros(4, dtype=torch.float64)
    grad_x = torch.zeros_like(x) if want_x else None
    grad_y = torch.zeros_like(y) if want_y and y is not None else None
    coefs = coefs.to(x.dtype)
    if xx:
        sums[0] = _within(x, u, kernel, coefs[0], grad_x)
    if yy and y is not None:
        sums[1] = _within(y, v, kernel, coefs[1], grad_y)
    if xy and y is not None:
        sums[2] = _between(x, y, u, v, kernel, coefs[2], grad_x, grad_y)
    if (closed := request.closed) is not None:
        sums[3] = potential_with_slope(x, u, closed.potential, coefs[3], grad_x)
    return Swept(sums, grad_x, grad_y)


def potential_with_slope(
    x: Tensor, u: Tensor | None, potential: Potential, coef: Tensor, grad: Tensor | None
) -> Tensor:
    """The potential's sum; its gradient times ``coef`` is added to ``grad``."""
    weights, shifts, rates = potential_terms(potential, x.device, x.dtype)
    total = x.new_zeros((), dtype=torch.float64)
    for rows in _spans(len(x), POTENTIAL_ROWS_PER_BLOCK):
        apart = x[rows] - potential.mean
        exponents = shifts - rates * apart.square().sum(1, keepdim=True)  # [rows, q]
        values = (exponents.expm1() if potential.relative else exponents.exp()) @ weights
        total += (values if u is None else values * u[rows]).sum(dtype=torch.float64)
        if grad is not None:
            slope = -2 * coef * (exponents.exp_() @ (weights * rates))
            grad[rows].addcmul_((slope if u is None else slope * u[rows])[:, None], apart)
    return total


@lru_cache(maxsize=64)
def potential_terms(potential: Potential, device: torch.device, dtype: torch.dtype) -> Tensor:
    """``[3, q]``: weights, shifts and rates, copied to the device once."""
    return torch.tensor([potential.weights, potential.shifts, potential.rates], dtype=dtype, device=device)


def _within(x: Tensor, u: Tensor | None, kernel: Kernel, coef: Tensor, grad: Tensor | None) -> Tensor:
    """Ordered pairs i != j of one set; tiles above the diagonal count twice."""
    mean = x.mean(0)
    a = _side(x - mean, 0, u)
    pull = torch.zeros_like(a.right) if grad is not None else None
    total = x.new_zeros((), dtype=torch.float64)
    tiles = _spans(len(x), _tile(x))
    for i, rows in enumerate(tiles):
        for columns in tiles[i:]:
            value, slope = _pairs(a, rows, a, columns, kernel)
            on_diagonal = rows == columns
            if on_diagonal:
                value.fill_diagonal_(0)
                slope.fill_diagonal_(0)
            total += value.sum(dtype=torch.float64) * (1 if on_diagonal else 2)
            if pull is not None:
                pull[rows].addmm_(slope, a.right[columns])
                if not on_diagonal:
                    pull[columns].addmm_(slope.T, a.right[rows])
    if grad is not None and pull is not None:
        grad.add_(_gradient(x - mean, pull, None).mul_(4 * coef))
    return total


def _between(
    x: Tensor, y: Tensor, u: Tensor | None, v: Tensor | None, kernel: Kernel, coef: Tensor,
    grad_x: Tensor | None, grad_y: Tensor | None,
) -> Tensor:  # fmt: skip
    """All pairs of two sets."""
    mean_y = y.mean(0)
    mean_x = mean_y if x.shape[1] <= DIRECT_DIMENSION else x.mean(0)
    apart = mean_x - mean_y
    a, b = _side(x - mean_x, apart, u), _side(y - mean_y, -apart, v)
    a.left[:, -2].add_(apart.dot(apart))
    pull_x = torch.zeros_like(a.right) if grad_x is not None else None
    pull_y = torch.zeros_like(b.right) if grad_y is not None else None
    total = x.new_zeros((), dtype=torch.float64)
    tile = max(_tile(x), _tile(y))
    for rows in _spans(len(x), tile):
        for columns in _spans(len(y), tile):
            value, slope = _pairs(a, rows, b, columns, kernel)
            total += value.sum(dtype=torch.float64)
            if pull_x is not None:
                pull_x[rows].addmm_(slope, b.right[columns])
            if pull_y is not None:
                pull_y[columns].addmm_(slope.T, a.right[rows])
    if grad_x is not None and pull_x is not None:
        grad_x.add_(_gradient(x - mean_x, pull_x, apart).mul_(2 * coef))
    if grad_y is not None and pull_y is not None:
        grad_y.add_(_gradient(y - mean_y, pull_y, -apart).mul_(2 * coef))
    return total


def _tile(x: Tensor) -> int:
    if x.device.type != "cpu":
        return CUDA_TILE_ROWS
    return next((tile for tile in CPU_TILE_ROWS if len(x) <= 4 * tile), CPU_TILE_ROWS[-1])


def _side(x: Tensor, apart: Tensor | int, weights: Tensor | None) -> Side:
    norms = (x * (x + 2 * apart)).sum(1, keepdim=True)
    ones = torch.ones_like(norms)
    return Side(torch.cat([-2 * x, norms, ones], 1), torch.cat([x, ones, norms], 1), weights)


def _spans(n: int, tile: int) -> list[slice]:
    return [slice(start, min(start + tile, n)) for start in range(0, n, tile)]


def _pairs(a: Side, rows: slice, b: Side, columns: slice, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Weighted values and slopes of a tile."""
    value, slope = kernel.value_and_slope(_distances(a.left[rows], b.right[columns]))
    for each in (value, slope):
        if a.weights is not None:
            each.mul_(a.weights[rows, None])
        if b.weights is not None:
            each.mul_(b.weights[columns])
    return value, slope


def _distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared, [rows, columns]."""
    d = left.shape[1] - 2
    if d > DIRECT_DIMENSION:
        return (left @ right.T).clamp_(min=0)
    sq = left.new_zeros(len(left), len(right))
    for k in range(d):
        sq.add_((left[:, k, None] / -2 - right[:, k]).square_())
    return sq


def _gradient(x: Tensor, pull: Tensor, apart: Tensor | None) -> Tensor:
    """sum_j W_ij (x_i - y_j), from the pull and the mass."""
    mass = pull[:, -2:-1]
    return mass * (x if apart is None else x + apart) - pull[:, :-2]
