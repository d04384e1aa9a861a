"""The real image nearest to each interpolant, and its position between the ends (AEAI, Figs 7 and 8)."""

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from interpreg import _checks
from interpreg.metrics import _codes, _paths
from interpreg.metrics.nearest import nearest

ROUNDING_TOLERANCE = 1e-6  # of an interval's length


@dataclass(frozen=True)
class RetrievedAlpha:
    """The coefficients and the parameters of the real images nearest to interpolants.

    Attributes:
        alpha: the coefficients that were interpolated, ``[s]``, both ends included.
        median, low, high: of the retrieved coefficients over all paths: the median and the quartiles, ``[s]`` each;
            at best the median is ``alpha``.
        error: mean of \\|retrieved - alpha\\|; 0 is perfect.
        outside: the share of images whose nearest real image lies outside the interval (retrieved beyond [0, 1], or
            off the straight way where there are several parameters), in [0, 1].
        from_start, to_end: mean distances ``[s]`` of the retrieved parameters from those of the ends; at best the
            straight lines ``alpha * interval`` and ``(1 - alpha) * interval``.
        interval: mean distance between the parameters of the two ends, over all paths.
        distance_error: mean of \\|distance - perfect distance\\| over both, as a share of ``interval``; 0 is perfect.
        undefined: number of paths without a coefficient, because both ends have the same parameters.
        paths: number of paths.
    """

    alpha: Tensor
    median: Tensor
    low: Tensor
    high: Tensor
    error: float
    outside: float
    from_start: Tensor
    to_end: Tensor
    interval: float
    distance_error: float
    undefined: int
    paths: int

    @property
    def spread(self) -> float:
        """The mean interquartile range; 0 is perfect, if the median is the coefficient."""
        return float((self.high - self.low).mean())


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
    r"""Coefficient and parameters of the real image nearest to each interpolant (AEAI, section 4.3, Figs 7 and 8).

    An image whose nearest reference has the parameter p, on a path from the parameter a to b, is given

    .. math:: \hat\alpha = \frac{(p - a) \cdot (b - a)}{\lVert b - a \rVert^2}

    where a periodic parameter goes the shorter way from a to b, and of p and its periods the one nearest to the middle
    is taken; :math:`\hat\alpha` outside [0, 1] is an image beyond the ends. The paper's intervals have 70 degrees:
    ``intervals(72, 15, closed=True)``. Distances from p to a and b (Fig. 8) are Euclidean over the parameters, each
    the shorter way round where it has a period: scale parameters of different units first.

    Args:
        paths: ``[n, steps, ...]``, the ends included.
        references: the real images to search, ``[m, ...]``.
        parameters: of the references, ``[m]`` or ``[m, k]``.
        start, end: the parameters of the paths' ends, ``[n]`` or ``[n, k]``.
        period: of the parameters; one for all or one each.
        measure: "mse" as published, or "cosine".
        progress: show a bar on a terminal if it takes long.

    Raises:
        TypeError: not floating point tensors.
        ValueError: other shapes, values that are not finite, or ends of the same parameters on every path.

    >>> ring = torch.arange(0.0, 360, 5)
    >>> views = torch.stack([ring.deg2rad().cos(), ring.deg2rad().sin()], dim=1)
    >>> paths = views[None, [70, 71, 0, 1, 2]]  # from 350 to 10 degrees
    >>> retrieved_alpha(paths, views, ring, ring[[70]], ring[[2]], period=360).median
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000], dtype=torch.float64)
    """
    _paths.check_paths(paths)
    parameters, cycle = _paths.as_parameters(references, parameters, period)
    start, end = (_end(name, side, paths, parameters) for name, side in (("start", start), ("end", end)))
    images = rearrange(paths, "n t ... -> (n t) ...")
    indices = nearest(images, references, measure, progress=progress).indices
    points = parameters[indices].view(*paths.shape[:2], -1)  # [n, steps, k]
    alpha = torch.arange(paths.shape[1], dtype=torch.float64) / (paths.shape[1] - 1)

    values, outside = _coefficients(points, start, end, cycle)
    low, median, high = values.quantile(values.new_tensor([0.25, 0.5, 0.75]), dim=0).cpu()
    from_start, to_end = (
        _paths.wrap(points - side[:, None], cycle).norm(dim=2).mean(0).cpu() for side in (start, end)
    )
    interval = _paths.wrap(end - start, cycle).norm(dim=1).mean().item()
    distance_errors = (from_start - alpha * interval).abs() + (to_end - (1 - alpha) * interval).abs()
    return RetrievedAlpha(
        alpha=alpha,
        median=median,
        low=low,
        high=high,
        error=(values.cpu() - alpha).abs().mean().item(),
        outside=outside.double().mean().item(),
        from_start=from_start,
        to_end=to_end,
        interval=interval,
        distance_error=distance_errors.mean().item() / 2 / interval,
        undefined=len(paths) - len(values),
        paths=len(paths),
    )


def _end(name: str, side: Tensor, paths: Tensor, parameters: Tensor) -> Tensor:
    """The parameters of one end of each path, ``[n, k]``, typed and placed as those of the references."""
    _codes.check_finite(name, side)
    side = side[:, None] if side.ndim == 1 else side
    if side.shape != (len(paths), parameters.shape[1]):
        raise ValueError(
            f"{name}: expected shape [{len(paths)}, {parameters.shape[1]}], the parameters of one end of each path, "
            f"got {_checks.describe(side)}"
        )
    return side.to(parameters)


def _coefficients(points: Tensor, start: Tensor, end: Tensor, cycle: Tensor) -> tuple[Tensor, Tensor]:
    """The coefficients of ``points`` and whether they are off the interval, ``[n, steps]`` of paths that have one."""
    way = _paths.wrap(end - start, cycle)  # [n, k]
    offsets = _paths.wrap(points - (start + way / 2)[:, None], cycle)  # from the middle, [n, steps, k]
    squares = way.square().sum(1)
    has_length = squares > 0
    if not has_length.any():
        raise ValueError("start, end: expected ends of different parameters, got the same on every path")
    way, offsets, squares = way[has_length, None], offsets[has_length], squares[has_length, None]
    centred = (offsets * way).sum(2) / squares  # the coefficient - 1/2, [n, steps]
    aside = (offsets - centred[..., None] * way).norm(dim=2) > ROUNDING_TOLERANCE * squares.sqrt()
    return 0.5 + centred, (centred.abs() > 0.5 + ROUNDING_TOLERANCE) | aside
