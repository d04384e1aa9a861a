"""The scores of the lines benchmark: do interpolants look like lines, and do they turn evenly."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from interpreg import _checks
from interpreg.datasets import lines
from interpreg.metrics.nearest import nearest

REFERENCES = 10_000  # lines to match against, as published
STILL = 1e-4  # radians between the ends under which smoothness is undefined, as published


@dataclass(frozen=True)
class LineScores:
    """The scores of a set of interpolations; lower is better for each.

    Attributes:
        mean_distance: mean cosine distance of every image to the line it is nearest to (ACAI, eq. 6). The paper
            prints it times 1,000.
        smoothness: mean over the paths where it is defined of the largest turn between two steps, as a share of
            the whole turn, minus the least possible 1 / (N - 1) (ACAI, eq. 7). 0 is perfectly even; NaN where
            no path defines it.
        smoothness_paper: the same sum divided by the count of *all* paths, as the published code does: a path
            that does not turn at all counts as perfect. Compare this one with the published numbers.
        detour: mean over all paths of (the way turned - the shortest way between the two ends) / pi. 0 is the
            shortest path; the long way round, which the published smoothness does not notice, costs 2 - 2 s / pi
            for ends s apart.
        undefined: on how many paths smoothness is undefined, because the ends are matched to the same angle.
        paths: how many paths there were.
    """

    mean_distance: float
    smoothness: float
    smoothness_paper: float
    detour: float
    undefined: int
    paths: int


def line_scores(paths: Tensor) -> LineScores:
    """Score interpolations of lines, as ACAI's appendix A.2 and its published code do.

    Every image is matched to the nearest of 10,000 evenly spaced true lines by cosine distance on its raw values;
    the matched angles are unwrapped, and their turns compared.

    Args:
        paths: ``[n, steps, 1, H, W]``, floating point, background -1 and line 1, H = W even; at least two steps,
            the ends included (and so reconstructions, not the data). The paper: 256 paths of 16 steps of 32 x 32.

    Returns:
        The scores, as plain numbers.

    Raises:
        TypeError: not a floating point tensor.
        ValueError: another shape, no paths, or values that are not finite.

    >>> angles = torch.linspace(0.0, 1.0, 16)
    >>> line_scores(lines.render(angles)[None]).smoothness < 0.001
    True
    """
    _checks.is_tensor("paths", paths)
    if paths.ndim != 5 or paths.shape[2] != 1 or paths.shape[3] != paths.shape[4]:
        raise ValueError(f"paths: expected shape [n, steps, 1, H, H], got {_checks.describe(paths)}")
    if len(paths) == 0 or paths.shape[1] < 2:
        raise ValueError(f"paths: expected at least one path of two steps, got {_checks.describe(paths)}")
    if not paths.isfinite().all():
        raise ValueError("paths: expected finite pixels, got some that are NaN or infinite")
    # numpy's, because torch's differs in last digits, which decide on which side of a jump a diagonal falls
    grid = torch.from_numpy(np.linspace(0, 2 * np.pi - 2 * np.pi / REFERENCES, REFERENCES)).to(paths.device)
    distances, indices = nearest(rearrange(paths, "n t c h w -> (n t) c h w"), lines.render(grid, paths.shape[-1]))
    turns = _turns(grid[indices].view(paths.shape[:2]))  # [n, steps - 1]

    ends = turns.sum(1).abs()
    defined = ends >= STILL
    largest = turns.abs().amax(1) / ends.where(defined, torch.ones_like(ends))
    scores = (largest - 1 / turns.shape[1])[defined]
    shortest = (ends + math.pi).remainder(2 * math.pi).sub(math.pi).abs()
    count = int(defined.sum())
    return LineScores(
        mean_distance=distances.mean().item(),
        smoothness=scores.mean().item() if count else math.nan,
        smoothness_paper=scores.sum().item() / len(paths) if count else math.nan,
        detour=((turns.abs().sum(1) - shortest) / math.pi).clamp(min=0).mean().item(),
        undefined=len(paths) - count,
        paths=len(paths),
    )


def _turns(angles: Tensor) -> Tensor:
    """The steps between consecutive angles, unwrapped as numpy.unwrap does: each in [-pi, pi]."""
    turns = angles.diff(dim=1)
    wrapped = (turns + math.pi).remainder(2 * math.pi) - math.pi
    return torch.where((wrapped == -math.pi) & (turns > 0), -wrapped, wrapped)
