"""Correlations of the elements of a code, and its dead units."""

import math

import torch
from torch import Tensor

from interpreg.metrics import _codes


def correlation(codes: Tensor) -> Tensor:
    r"""Pearson's correlation of every two elements of the code over the samples, :math:`r_{ij}` in [-1, 1].

    .. math:: r_{ij} = \frac{\sum_n (z_{ni} - \bar z_i)(z_{nj} - \bar z_j)}
              {\sqrt{\sum_n (z_{ni} - \bar z_i)^2 \sum_n (z_{nj} - \bar z_j)^2}}

    Rows and columns of :func:`dead_units` are NaN, the diagonal too: their correlation is undefined. Computed in
    float64, in blocks of samples: two passes, and memory for a block and the result.

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
    scatter, deviation, alive = _moments(_codes.as_rows("codes", codes, low=2))
    scale = torch.where(alive, deviation, torch.nan)
    r = (scatter / scale / scale[:, None]).clamp(-1, 1)
    r.diagonal().masked_fill_(alive, 1.0)
    return r


def latent_correlation(codes: Tensor) -> float:
    r"""The mean of :math:`|r_{ij}|` over pairs :math:`i \ne j` of elements that vary, in [0, 1].

    MIDR-AE's measure of how disentangled a code is (IJCAI 2020, section 5.2 and Table 1); lower is less related.
    NaN where fewer than two elements vary. For codes of two elements it is :math:`|r|` of the one pair. It depends on
    the rotation of the code: the same codes along their principal axes have 0. Dead units are left out; report
    :func:`dead_units` beside it. The published numbers come from the whole training set, or from 4,000 test images
    where that is large.

    Args and errors: as :func:`correlation`.

    >>> latent_correlation(torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    0.0
    """
    r = correlation(codes)
    alive = ~r.diagonal().isnan()
    count = int(alive.sum())
    if count < 2:
        return math.nan
    pairs = r[alive][:, alive].abs()
    return float((pairs.sum() - pairs.trace()) / (count * (count - 1)))


def dead_units(codes: Tensor) -> int:
    """The number of elements of the code that do not vary over the samples, from 0 to d.

    A unit is dead if its values are all equal, or if its standard deviation is at most a millionth of the
    largest unit's.

    Args and errors: as :func:`correlation`.

    >>> dead_units(torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]]))
    1
    """
    _, _, alive = _moments(_codes.as_rows("codes", codes, low=2))
    return int((~alive).sum())


def _moments(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scatter matrix, the root of its diagonal, and which elements vary."""
    blocks = codes.split(_codes.SAMPLES_PER_BLOCK)
    mean = torch.stack([block.double().sum(0) for block in blocks]).sum(0) / len(codes)
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=codes.device)
    differs = torch.zeros(len(mean), dtype=torch.bool, device=codes.device)
    for block in blocks:
        centred = block.double() - mean
        scatter.addmm_(centred.T, centred)
        differs |= (block != codes[0]).any(0)
    deviation = torch.where(differs, scatter.diagonal().sqrt(), 0.0)  # the mean of equal values may be rounded
    return scatter, deviation, deviation > _codes.MIN_RELATIVE_STD * deviation.max()
