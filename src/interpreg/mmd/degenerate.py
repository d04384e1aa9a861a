"""A warning of degenerate bandwidths: the kernel matrix is all 0 or all 1, so the gradient vanishes.

The first, second, fourth, eighth ... call with a kernel and a dimension is checked, on a few dozen samples. On CUDA the
statistics are copied asynchronously and evaluated at a later check. A kernel is reported once.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache, partial

import torch
from torch import Tensor

from interpreg._later import Later, is_capturing, is_look, is_paused
from interpreg._warnings import warn
from interpreg.kernels import Energy, Kernel
from interpreg.mmd.bandwidths import evenly_spaced
from interpreg.mmd.dispatch import is_plain, is_transformed
from interpreg.mmd.reference import squared_distances

CHECKED_SAMPLES = 64  # of each set
RESOLUTION = 1e-6  # of fp32 near 1, rounded up
CACHED_HISTORIES = 256  # of a kernel and a dimension each


@dataclass
class _History:
    calls: int = 0
    is_reported: bool = False
    later: Later = field(default_factory=Later)


@lru_cache(maxsize=CACHED_HISTORIES)
def _history(kernel: Kernel, d: int) -> _History:
    return _History()


def warn_if_degenerate(kernel: Kernel, x: Tensor, y: Tensor | None, spread: float | None = None) -> None:
    """Warn, at some calls, if every bandwidth of the kernel is degenerate on ``x`` ``[n, d]`` and ``y`` ``[m, d]``.

    ``spread`` is that of a prior in closed form, which has no samples.
    """
    if torch.compiler.is_compiling() or isinstance(kernel, Energy) or not is_plain(x) or is_transformed():
        return
    if is_paused():
        return
    history = _history(kernel, x.shape[1])
    history.calls += 1
    if history.is_reported or not is_look(history.calls) or is_capturing(x):
        return
    statistics = history.later.read(partial(_statistics, kernel, x, y, spread))
    fault = None if statistics is None else degeneracy(kernel, statistics)
    if fault:
        history.is_reported = True
        warn(fault)


def degeneracy_on(kernel: Kernel, x: Tensor, y: Tensor | None, spread: float | None = None) -> str:
    """The same at once, which waits for the device: what is wrong, or an empty string."""
    if isinstance(kernel, Energy):
        return ""
    return degeneracy(kernel, _statistics(kernel, x, y, spread).tolist())


@torch.no_grad()
def _statistics(kernel: Kernel, x: Tensor, y: Tensor | None, spread: float | None) -> Tensor:
    """The median squared distance; then for each bandwidth the least and the largest value, as shares of k(0)."""
    joint = torch.cat([evenly_spaced(s.detach(), CHECKED_SAMPLES) for s in (x, y) if s is not None]).double()
    i, j = torch.triu_indices(len(joint), len(joint), 1, device=x.device)
    sq = squared_distances(joint, joint)[i, j]
    if spread is not None:
        sq = torch.cat([sq, sq.new_full((1,), 2 * spread**2)])
    values = [part.profile(sq) / part.at_zero for part in kernel.parts()]
    return torch.stack([sq.median(), *(extreme for value in values for extreme in (value.min(), value.max()))])


def degeneracy(kernel: Kernel, statistics: list[float]) -> str:
    """What is wrong where all bandwidths are degenerate, with one that fits; else an empty string."""
    median, *extremes = statistics
    all_0 = [largest < RESOLUTION for largest in extremes[1::2]]
    all_1 = [least > 1 - RESOLUTION for least in extremes[::2]]
    if not (0 < median < math.inf and all(zero or one for zero, one in zip(all_0, all_1, strict=True))):
        return ""
    matrix = "all 0" if all(all_0) else "all 1" if all(all_1) else "all 0 or all 1"
    return (
        f"kernel: every bandwidth of {kernel} is degenerate: the kernel matrix is {matrix}, so the gradient vanishes; "
        f"a bandwidth near {math.sqrt(median / 2):.3g} would fit these samples (or bandwidths='median')"
    )
