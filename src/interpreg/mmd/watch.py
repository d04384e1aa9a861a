"""A kernel that sees nothing is called out: all its values 0 or 1, so that the MMD has no gradient.

Looked at in the first, second, fourth, eighth ... call with a kernel and a dimension, on a few dozen samples; on CUDA
the answer is copied without waiting and read at a later look. A kernel is reported once.
"""

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from interpreg.kernels import Energy, Kernel
from interpreg.mmd.bandwidths import few
from interpreg.mmd.reference import squared_distances
from interpreg.mmd.sums import is_plain, transformed

SAMPLES = 64
BLIND = 1e-6  # about what fp32 resolves beside 1


class _Look(NamedTuple):
    facts: Tensor
    done: "torch.cuda.Event | None"


_calls: dict[tuple[Kernel, int], int] = {}
_looks: dict[tuple[Kernel, int], _Look] = {}


def look(kernel: Kernel, x: Tensor, y: Tensor | None, spread: float | None = None) -> None:
    """Warn if every part of the kernel is blind on these samples, now and then.

    ``spread`` stands for a prior whose samples are not at hand.
    """
    if torch.compiler.is_compiling() or isinstance(kernel, Energy) or not is_plain(x) or transformed():
        return
    key = (kernel, x.shape[1])
    calls = _calls[key] = _calls.get(key, 0) + 1
    if calls & (calls - 1) or calls < 0 or _capturing(x):
        return
    pending = _looks.pop(key, None)
    if pending is None or pending.done is None or pending.done.query():
        facts = pending.facts if pending is not None else _facts(kernel, x, y, spread)
        if facts.device.type == "cpu":
            if _judge(kernel, facts.tolist()):
                _calls[key] = -(2**62)  # once
            return
        host = torch.empty(facts.shape, dtype=facts.dtype, pin_memory=True)
        host.copy_(facts, non_blocking=True)
        pending = _Look(host, torch.cuda.Event())
        assert pending.done is not None
        pending.done.record()
    _looks[key] = pending


@torch.no_grad()
def _facts(kernel: Kernel, x: Tensor, y: Tensor | None, spread: float | None) -> Tensor:
    """The median squared distance, then the least and largest value of each part, relative to its value at 0."""
    points = [few(each.detach(), SAMPLES) for each in (x, y) if each is not None]
    joint = torch.cat(points).double()
    i, j = torch.triu_indices(len(joint), len(joint), 1, device=x.device)
    sq = squared_distances(joint, joint)[i, j]
    if spread is not None:
        sq = torch.cat([sq, sq.new_full((1,), 2 * spread**2)])
    values = [part.profile(sq) / part.at_zero for part in kernel.parts()]
    return torch.stack([sq.median(), *(extreme for value in values for extreme in (value.min(), value.max()))])


def _judge(kernel: Kernel, facts: list[float]) -> bool:
    median, *extremes = facts
    pairs = list(zip(extremes[::2], extremes[1::2], strict=True))
    narrow = [high < BLIND for _, high in pairs]
    blind = all(is_narrow or low > 1 - BLIND for is_narrow, (low, _) in zip(narrow, pairs, strict=True))
    if not blind or not 0 < median < math.inf:
        return False
    what = "0" if all(narrow) else "0 or 1" if any(narrow) else "1"
    warnings.warn(
        f"kernel: {kernel} sees nothing of these samples, all its values are {what}, so the MMD has no gradient; "
        f"a bandwidth near {math.sqrt(median / 2):.3g} would see them (or bandwidths='median')",
        stacklevel=4,
    )
    return True


def _capturing(x: Tensor) -> bool:
    return x.is_cuda and torch.cuda.is_current_stream_capturing()
