"""Timing on a shared machine."""

import time
from collections.abc import Callable, Collection, Mapping
from statistics import median
from typing import NamedTuple

import torch

MOST_ROUNDS = 50
BUDGET = 1.0  # seconds for one contestant, once it has
FEWEST_ROUNDS = 3
SLOW = 1.0  # seconds of a call that is measured once
SETTLING = 5e-3  # seconds until the threads of the previous contestant stop spinning


class Timing(NamedTuple):
    """The median of some calls."""

    seconds: float
    rounds: int


def seconds(call: Callable[[], object], device: str = "cpu") -> float:
    """One call; on CUDA by events, from an idle device to an idle device."""
    if device != "cuda":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def interleaved(
    calls: Mapping[str, Callable[[], object]], device: str = "cpu", cold: Collection[str] = ()
) -> dict[str, Timing]:
    """Rounds of all contestants in turn, so that a busy minute of the machine affects all of them.

    Each but the ``cold`` ones is called once before, to compile, to allocate and to start threads.
    """
    for name in calls.keys() - set(cold):
        seconds(calls[name], device)
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(MOST_ROUNDS):
        for name, call in calls.items():
            if not spent[name] or _again(spent[name]):
                spent[name].append(_settled(call, device))
    return {name: Timing(median(each), len(each)) for name, each in spent.items()}


def _settled(call: Callable[[], object], device: str) -> float:
    """One call, after repeated calls that fill the caches while other threads stop spinning."""
    settled = 0.0
    while (took := seconds(call, device)) < SETTLING and settled < SETTLING:
        settled += took
    return took


def _again(spent: list[float]) -> bool:
    return spent[0] < SLOW and (len(spent) < FEWEST_ROUNDS or sum(spent) + spent[-1] < BUDGET)
