"""Correlations of the elements of a code, and its dead units."""

import math

import torch
from torch import Tensor

from interpreg.metrics import _codes

COLUMNS_PER_BLOCK = 256  # of a correlation matrix: bounds the memory


def correlation(codes: Tensor) -> Tensor:
    r"""Pearson's correlation of every two elements of the code over the samples, :math:`r_{ij}` in [-1, 1].

    .. math:: r_{ij} = \frac{\sum_n (z_{ni} - \bar z_i)(z_{nj} - \bar z_j)}
              {\sqrt{\sum_n (z_{ni} - \bar z_i)^2 \sum_n (z_{nj} - \bar z_j)^2}}

    Rows and columns of :func:`dead_units` are NaN, the diagonal too: their correlation is undefined. Computed in
    float64, in blocks of samples: memory for a block and the result.

    Args:
        codes: ``[n, ...]``, at least two, floating point; flattened.

    Returns:
        ``[d, d]`` in float64, on the codes' device.

    Raises:
        TypeError, ValueError: a tensor of the wrong type, fewer than two samples, values that are not finite.

    >>> correlation(torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]])).round(decimals=6)
    tensor([[ 1., -1., nan],
            [-1.,  1., nan],
            [nan, nan, nan]], dtype=torch.float64)
    """
    rows = _codes.as_rows("codes", codes, low=2)
    mean, deviation, alive = _statistics(rows)
    scale = torch.where(alive, deviation, torch.nan)
    r = (_scatter(rows, mean) / scale / scale[:, None]).clamp(-1, 1)
    r.diagonal().masked_fill_(alive, 1.0)
    return r


def latent_correlation(codes: Tensor) -> float:
    r"""The mean of :math:`|r_{ij}|` over pairs :math:`i \ne j` of elements that vary, in [0, 1].

    MIDR-AE's measure of how disentangled a code is (IJCAI 2020, section 5.2 and Table 1); lower is less related.
    NaN where fewer than two elements vary. For codes of two elements it is :math:`|r|` of the one pair. It depends on
    the rotation of the code: the same codes along their principal axes have 0. Dead units are left out; report
    :func:`dead_units` beside it. The published numbers come from the whole training set, or from 4,000 test images
    where that is large. Memory: a few rows of the matrix at a time.

    Args and errors: as :func:`correlation`.

    >>> latent_correlation(torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    0.0
    """
    rows = _codes.as_rows("codes", codes, low=2)
    mean, deviation, alive = _statistics(rows)
    count = int(alive.sum())
    if count < 2:
        return math.nan
    varying = alive.nonzero().flatten()
    total = 0.0
    for first in range(0, count, COLUMNS_PER_BLOCK):
        columns = varying[first : first + COLUMNS_PER_BLOCK]
        r = (_scatter(rows, mean, columns) / deviation / deviation[columns, None]).clamp(-1, 1)[:, varying].abs()
        r[:, first : first + len(columns)].fill_diagonal_(0)  # of an element with itself
        total += float(r.sum())
    return total / (count * (count - 1))


def dead_units(codes: Tensor) -> int:
    """The number of elements of the code that do not vary over the samples, from 0 to d.

    A unit is dead if its values are all equal, or if its standard deviation is at most a millionth of the
    largest unit's.

    Args and errors: as :func:`correlation`.

    >>> dead_units(torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]]))
    1
    """
    _, _, alive = _statistics(_codes.as_rows("codes", codes, low=2))
    return int((~alive).sum())


def _statistics(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean, the root of the sum of squared deviations, and which elements vary; ``[d]`` each."""
    mean = torch.stack([block.double().sum(0) for block in _codes.blocks(codes)]).sum(0) / len(codes)
    squares = torch.zeros_like(mean)
    differs = torch.zeros(len(mean), dtype=torch.bool, device=codes.device)
    for block in _codes.blocks(codes):
        squares += (block.double() - mean).square().sum(0)
        differs |= (block != codes[0]).any(0)
    deviation = torch.where(differs, squares.sqrt(), 0.0)  # the mean of equal values may be rounded
    return mean, deviation, deviation > _codes.MIN_RELATIVE_STD * deviation.max()


def _scatter(codes: Tensor, mean: Tensor, columns: Tensor | None = None) -> Tensor:
    """The scatter matrix ``[d, d]``, or its rows of some elements."""
    height = len(mean) if columns is None else len(columns)
    scatter = torch.zeros(height, len(mean), dtype=torch.float64, device=codes.device)
    for block in _codes.blocks(codes):
        centred = block.double() - mean
        scatter.addmm_((centred if columns is None else centred[:, columns]).T, centred)
    return scatter
