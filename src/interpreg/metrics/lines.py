"""The scores of the lines benchmark: distance of interpolants from true lines, and how evenly they turn."""

import math

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks
from interpreg.datasets import lines
from interpreg.datasets.samples import Samples
from interpreg.metrics import _paths
from interpreg.metrics.paths import PathScores, path_scores

TRUE_LINE_COUNT = 10_000  # as published

LineScores = PathScores  # the same scores, of lines


def line_scores(paths: Tensor) -> PathScores:
    """Score interpolations of lines, as ACAI's appendix A.2 and its published code do.

    Every image is matched to the nearest of 10,000 evenly spaced true lines by cosine distance on its raw values;
    the matched angles are unwrapped, and their turns compared.

    Args:
        paths: ``[n, steps, 1, H, W]``, floating point, background -1 and line 1, H = W even; at least two steps,
            the ends included (and so reconstructions, not the data). The paper: 256 paths of 16 steps of 32 x 32.

    Raises:
        TypeError: not a floating point tensor.
        ValueError: another shape, no paths, or values that are not finite.

    >>> angles = torch.linspace(0.0, 1.0, 16)
    >>> line_scores(lines.render(angles)[None]).smoothness < 0.001
    True
    """
    _paths.check_paths(paths)
    if paths.ndim != 5 or paths.shape[2] != 1 or paths.shape[3] != paths.shape[4]:
        raise ValueError(f"paths: expected shape [n, steps, 1, H, H], got {_checks.describe(paths)}")
    references = grid(paths.shape[-1], paths.device)
    return path_scores(paths, references.images, references.parameters, period=references.period)


def grid(size: int = 32, device: torch.device | str | None = None) -> Samples:
    """The 10,000 evenly spaced lines that the published code matches against, in float64, with their angles."""
    # torch's linspace differs in last digits, which decide on which side of the discontinuity a diagonal lies
    angles = torch.from_numpy(np.linspace(0, 2 * np.pi - 2 * np.pi / TRUE_LINE_COUNT, TRUE_LINE_COUNT)).to(device)
    return Samples(
        lines.render(angles, size), None, angles[:, None], (2 * math.pi,), ("angle (radians)",), "lines"
    )
