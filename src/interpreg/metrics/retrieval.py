"""Which real image an interpolant looks like, and where that lies between the ends (AEAI, Figs 7 and 8)."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from interpreg import _checks
from interpreg.metrics import _paths
from interpreg.metrics.nearest import nearest


class Retrieved(NamedTuple):
    """Parameters of the nearest references, ``[n, steps, k]``, of both ends, ``[n, k]``, and the k periods."""

    found: Tensor
    start: Tensor
    end: Tensor
    period: Tensor


@dataclass(frozen=True)
class RetrievedAlpha:
    """The coefficients of the real images that interpolants look most like; perfect on the diagonal.

    Attributes:
        alpha: the coefficients that were interpolated, ``[s]``, both ends included.
        median, low, high: of the retrieved coefficients over all paths: the median and the quartiles, ``[s]`` each.
        error: mean of \\|retrieved - alpha\\|; 0 is perfect.
        outside: the share of images whose nearest real image lies outside the interval (retrieved beyond [0, 1], or
            off the straight way where there are several parameters), in [0, 1].
        undefined: on how many paths nothing is defined, because both ends have the same parameter.
        paths: how many paths there were.
    """

    alpha: Tensor
    median: Tensor
    low: Tensor
    high: Tensor
    error: float
    outside: float
    undefined: int
    paths: int

    @property
    def spread(self) -> float:
        """The mean interquartile range; 0 is perfect, if the median is the coefficient."""
        return float((self.high - self.low).mean())


@dataclass(frozen=True)
class ParameterDistance:
    """How far from both ends interpolants are, in the space of the parameters.

    Attributes:
        alpha: the coefficients ``[s]``, both ends included.
        from_start, to_end: mean distances ``[s]`` of the retrieved parameters; straight lines at best.
        interval: mean distance between the ends, where those lines end.
        error: mean of \\|distance - perfect distance\\| over both, as a share of ``interval``; 0 is perfect.
        paths: how many paths there were.
    """

    alpha: Tensor
    from_start: Tensor
    to_end: Tensor
    interval: float
    error: float
    paths: int


def retrieved_alpha(
    paths: Tensor,
    references: Tensor,
    parameters: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    period: _paths.Period = None,
    measure: Literal["cosine", "mse"] = "mse",
    progress: bool = True,
) -> RetrievedAlpha:
    r"""The coefficient of the nearest real image to each interpolant (AEAI, section 4.3 and Fig. 7).

    An image whose nearest reference has the parameter p, on a path from the parameter a to b, is given

    .. math:: \hat\alpha = \frac{(p - a) \cdot (b - a)}{\lVert b - a \rVert^2}

    where parameters with a period go the shorter way from a to b and p is taken at its closest turn to the middle
    between them. So :math:`\hat\alpha` may lie outside [0, 1]: the image looks like one beyond the ends. The paper's
    intervals have 70 degrees: ``intervals(72, 15, closed=True)``.

    Args:
        paths: ``[n, steps, ...]``, the ends included.
        references: the real images to look among, ``[m, ...]``.
        parameters: what they were made from, ``[m]`` or ``[m, k]``.
        start, end: the parameters of the paths' ends, ``[n]`` or ``[n, k]``.
        period: after how much a parameter comes back to where it was; one for all or one each.
        measure: "mse" as published, or "cosine".
        progress: show a bar on a terminal if it takes long.

    Raises:
        TypeError: not floating point tensors.
        ValueError: other shapes, or values that are not finite.

    >>> ring = torch.arange(0.0, 360, 5)
    >>> views = torch.stack([ring.deg2rad().cos(), ring.deg2rad().sin()], dim=1)
    >>> paths = views[None, [70, 71, 0, 1, 2]]  # from 350 to 10 degrees
    >>> retrieved_alpha(paths, views, ring, ring[[70]], ring[[2]], period=360).median
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000], dtype=torch.float64)
    """
    return alphas(retrieved(paths, references, parameters, start, end, period, measure, progress))


def parameter_distance(
    paths: Tensor,
    references: Tensor,
    parameters: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    period: _paths.Period = None,
    measure: Literal["cosine", "mse"] = "mse",
    progress: bool = True,
) -> ParameterDistance:
    r"""Mean distances, in the space of the parameters, from each interpolant to both ends (AEAI, Fig. 8).

    Each image is given the parameters of its nearest reference. A perfectly smooth interpolation is
    :math:`\alpha L` away from the start and :math:`(1 - \alpha) L` from the end, L the mean distance of the ends.
    Distances are Euclidean over the parameters, each the shorter way round where it has a period.

    Args and errors: as :func:`retrieved_alpha`.

    >>> line = torch.linspace(0, 1, 11)[:, None]
    >>> result = parameter_distance(line[None], line, line, line[[0]], line[[-1]])
    >>> round(result.interval, 6), round(result.error, 6)
    (1.0, 0.0)
    """
    return distances(retrieved(paths, references, parameters, start, end, period, measure, progress))


def alphas(near: Retrieved) -> RetrievedAlpha:
    """Where between the ends the retrieved parameters lie."""
    found, first, last, cycle = near
    way = _paths.wrapped(last - first, cycle)  # [n, k]
    middle = first + way / 2
    offsets = _paths.wrapped(found - middle[:, None], cycle)  # [n, steps, k]
    lengths = way.square().sum(1)
    defined = lengths > 0
    if not defined.any():
        raise ValueError("start, end: expected ends of different parameters, got the same on every path")
    way, offsets, lengths = way[defined], offsets[defined], lengths[defined]
    values = 0.5 + (offsets * way[:, None]).sum(2) / lengths[:, None]  # [n, steps]
    aside = (offsets - (values - 0.5)[..., None] * way[:, None]).norm(dim=2) > 1e-6 * lengths.sqrt()[:, None]
    outside = (values < -1e-6) | (values > 1 + 1e-6) | aside
    alpha = _grid(found)
    low, median, high = values.quantile(values.new_tensor([0.25, 0.5, 0.75]), dim=0).cpu()
    return RetrievedAlpha(
        alpha=alpha,
        median=median,
        low=low,
        high=high,
        error=(values.cpu() - alpha).abs().mean().item(),
        outside=outside.double().mean().item(),
        undefined=int((~defined).sum()),
        paths=len(found),
    )


def distances(near: Retrieved) -> ParameterDistance:
    """How far the retrieved parameters are from both ends."""
    found, first, last, cycle = near
    from_start, to_end = (
        _paths.wrapped(found - where[:, None], cycle).norm(dim=2).mean(0).cpu() for where in (first, last)
    )
    interval = _paths.wrapped(last - first, cycle).norm(dim=1).mean().item()
    alpha = _grid(found)
    errors = (from_start - alpha * interval).abs() + (to_end - (1 - alpha) * interval).abs()
    error = errors.mean().item() / 2 / interval if interval > 0 else math.nan
    return ParameterDistance(alpha, from_start, to_end, interval, error, len(found))


def _grid(found: Tensor) -> Tensor:
    """The coefficients of a path's steps."""
    return torch.arange(found.shape[1], dtype=torch.float64) / (found.shape[1] - 1)


def retrieved(
    paths: Tensor,
    references: Tensor,
    parameters: Tensor,
    start: Tensor,
    end: Tensor,
    period: _paths.Period,
    measure: Literal["cosine", "mse"] = "mse",
    progress: bool = True,
) -> Retrieved:
    """What the nearest references to all images of the paths were made from."""
    _paths.check(paths)
    known, cycle = _paths.parameters_of(references, parameters, period)
    sides = []
    for name, side in (("start", start), ("end", end)):
        _paths.check_finite(name, side)
        side = side[:, None] if side.ndim == 1 else side
        if side.shape != (len(paths), known.shape[1]):
            raise ValueError(
                f"{name}: expected shape [{len(paths)}, {known.shape[1]}], the parameters of one end of each path, "
                f"got {_checks.describe(side)}"
            )
        sides.append(side.to(known))
    indices = nearest(rearrange(paths, "n t ... -> (n t) ..."), references, measure, progress=progress).indices
    return Retrieved(known[indices].view(*paths.shape[:2], -1), sides[0], sides[1], cycle)
