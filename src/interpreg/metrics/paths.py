"""Interpolations against a reference set: distance from real images, and how evenly their parameter changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from interpreg.metrics import _paths
from interpreg.metrics.nearest import nearest

# of the largest distance of two parameters; 1e-4 radians of angles, as published
MIN_RELATIVE_TURN = 1e-4 / math.pi


@dataclass(frozen=True)
class PathScores:
    """The scores of a set of interpolations; lower is better for each.

    Attributes:
        mean_distance: mean distance of every image to the reference it is nearest to (ACAI, eq. 6). The paper prints
            it times 1,000. A model that decodes everything to one real image has a perfect one.
        smoothness: mean over the paths where it is defined of the largest turn between two steps, as a share of
            the whole turn, minus the least possible 1 / (N - 1) (ACAI, eq. 7). 0 is perfectly even; NaN where
            it is undefined on all.
        smoothness_paper: the same sum divided by the count of *all* paths, as the published code does: a path
            that does not turn at all counts as perfect. Compare this one with the published numbers.
        detour: mean over all paths of (the way turned - the shortest way between the two ends) / reach, the farthest
            that two parameters can be apart: half a period (pi for angles), or the range of the references'
            parameters where they have no period. 0 is the shortest path; the long way round, which the published
            smoothness does not penalise, costs 2 - 2 s / pi for angles s apart.
        undefined: number of paths of undefined smoothness, because the ends are matched to the same parameter.
        paths: number of paths.
    """

    mean_distance: float
    smoothness: float
    smoothness_paper: float
    detour: float
    undefined: int
    paths: int


def path_scores(
    paths: Tensor,
    references: Tensor,
    parameters: Tensor | None = None,
    *,
    period: float | Sequence[float | None] | None = None,
    measure: Literal["cosine", "mse"] = "cosine",
    progress: bool = True,
) -> PathScores:
    r"""ACAI's Mean Distance and Smoothness (appendix A) for any data with a reference set.

    Every image is matched to its nearest reference :math:`q_t`; the references' parameters are unwrapped where they
    have a period, and their steps :math:`d_t = |p_{q_{t+1}} - p_{q_t}|` compared with the whole way:

    .. math:: \mathrm{smoothness} = \frac{\max_t d_t}{|\sum_t (p_{q_{t+1}} - p_{q_t})|} - \frac{1}{N - 1}

    With several parameters an image, distances are Euclidean: scale parameters of different units first.

    Args:
        paths: ``[n, steps, ...]``, floating point; at least two steps, the ends included.
        references: real images ``[m, ...]``, at the pixels' scale of ``paths``.
        parameters: what the references were made from, ``[m]`` or ``[m, k]``; without them only the mean
            distance is defined.
        period: of the parameters, such as 2 pi; one for all or one each.
        measure: "cosine" as published (of raw pixels in [-1, 1]: see :func:`interpreg.metrics.nearest`), or "mse".
        progress: show a bar on a terminal if it takes long.

    Raises:
        TypeError: not floating point tensors.
        ValueError: another shape, no paths, or values that are not finite.

    >>> ramp = torch.linspace(0, 1, 101)[:, None]  # references of one pixel, which is its parameter
    >>> scores = path_scores(torch.tensor([[[0.0], [0.5], [1.0]]]), ramp, ramp, measure="mse")
    >>> scores.mean_distance, scores.smoothness, scores.detour
    (0.0, 0.0, 0.0)
    """
    _paths.check_paths(paths)
    if parameters is None and period is not None:
        raise ValueError(f"period: expected None without parameters, got {period!r}")
    images = rearrange(paths, "n t ... -> (n t) ...")
    distances, indices = nearest(images, references, measure, progress=progress)
    if undefined := int(distances.isnan().sum()):
        raise ValueError(
            f"paths: expected images that are not 0 everywhere, whose cosine distance is undefined, got {undefined} of "
            f"{len(images)}; give pixels in [-1, 1], as published, or measure='mse'"
        )
    if parameters is None:
        return PathScores(distances.mean().item(), math.nan, math.nan, math.nan, len(paths), len(paths))
    values, cycle = _paths.as_parameters(references, parameters, period)
    reach = _paths.largest_distance(values, cycle)
    turns = _paths.wrap(values[indices].view(*paths.shape[:2], -1).diff(dim=1), cycle)  # [n, steps - 1, k]

    steps, whole = turns.norm(dim=2), turns.sum(1)
    ends, shortest = whole.norm(dim=1), _paths.wrap(whole, cycle).norm(dim=1)
    is_turning = ends >= MIN_RELATIVE_TURN * reach
    largest = steps.amax(1) / ends.where(is_turning, torch.ones_like(ends))
    scores = (largest - 1 / steps.shape[1])[is_turning]
    count = int(is_turning.sum())
    return PathScores(
        mean_distance=distances.mean().item(),
        smoothness=scores.mean().item() if count else math.nan,
        smoothness_paper=scores.sum().item() / len(paths) if count else math.nan,
        detour=((steps.sum(1) - shortest) / reach).clamp(min=0).mean().item(),
        undefined=len(paths) - count,
        paths=len(paths),
    )
