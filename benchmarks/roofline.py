"""The ideal time of a training step: the arithmetic that the MMD needs, at the rates of this machine.

It is no lower bound, because an exponential may be faster than torch's, and it leaves out the time of memory accesses.
``python benchmarks/roofline.py`` prints the rates.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from clock import seconds

from interpreg.kernels.radial import ladder

MATRIX_SIDE = 2048
# in cache; enough to fill the device
EXPONENTIALS = {"cpu": 1 << 14, "cuda": 1 << 26}
MATRIX_REPEATS, EXPONENTIAL_REPEATS = 10, 200


class Rates(NamedTuple):
    """Operations a second, in fp32."""

    flops: float
    """Of a matrix product."""
    exponentials: float


@lru_cache
def rates(threads: int, device: str = "cpu") -> Rates:
    """The best of several tries. A tensor that fits the cache is one thread's work, so its rate is multiplied."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a, b = torch.randn(2, MATRIX_SIDE, MATRIX_SIDE, device=device)
        product = torch.empty_like(a)
        numbers = -torch.rand(EXPONENTIALS[device], device=device)
        powers = torch.empty_like(numbers)
        flops = 2 * MATRIX_SIDE**3 / _best(lambda: torch.mm(a, b, out=product), MATRIX_REPEATS, device)
        exponentials = len(numbers) / _best(lambda: torch.exp(numbers, out=powers), EXPONENTIAL_REPEATS, device)
    finally:
        torch.set_num_threads(before)
    return Rates(flops, exponentials * (threads if device == "cpu" else 1))


def ideal(n: int, d: int, widths: tuple[float, ...], at: Rates, m: int | None = None) -> float:
    """Seconds for the value and its gradient in x, with symmetric blocks counted once."""
    m = n if m is None else m
    pairs = n**2 / 2 + m**2 / 2 + n * m
    pulls = n**2 + n * m  # a pair of codes pulls both
    exponentials = sum(not rung.squarings for rung in ladder(widths))
    return 2 * d * (pairs + pulls) / at.flops + exponentials * pairs / at.exponentials


def _best(call: Callable[[], object], tries: int, device: str) -> float:
    call()
    return min(seconds(call, device) for _ in range(tries))


if __name__ == "__main__":
    for threads in (1, torch.get_num_threads()):
        here = rates(threads)
        print(f"{threads} threads: {here.flops / 1e9:.0f} GFLOP/s, {here.exponentials / 1e9:.2f}e9 exponentials/s")
