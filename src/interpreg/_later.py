"""Numbers on the host, at rare calls and without waiting for the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_PAUSED: ContextVar[bool] = ContextVar("_PAUSED", default=False)


@contextmanager
def without_looks() -> Iterator[None]:
    """A context in which nothing is counted and nothing is looked at."""
    token = _PAUSED.set(True)
    try:
        yield
    finally:
        _PAUSED.reset(token)


def is_paused() -> bool:
    """Whether looks are paused in this context."""
    return _PAUSED.get()


def is_look(calls: int) -> bool:
    """Whether a call, counted from 1, is the first, second, fourth, eighth ..."""
    return not calls & (calls - 1)


def is_capturing(x: Tensor) -> bool:
    """Whether a CUDA graph is being captured, into which a look would be recorded."""
    return x.is_cuda and torch.cuda.is_current_stream_capturing()


class Later:
    """Numbers that are measured at one look; on CUDA they are copied asynchronously and read at a later one."""

    def __init__(self) -> None:
        self._pending: tuple[Tensor, torch.cuda.Event] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether numbers are on their way."""
        return self._pending is not None

    def read(self, measure: Callable[[], Tensor]) -> list[float] | None:
        """The numbers of ``measure()``, or of an earlier look; None while they are on their way."""
        if self._pending is not None:
            numbers, arrival = self._pending
            if not arrival.query():
                return None
            self._pending = None
            return numbers.tolist()
        numbers = measure()
        if numbers.is_cuda:
            self._pending = _copied(numbers)
            return None
        return numbers.tolist()

    def __reduce__(self) -> tuple[Any, ...]:  # an event cannot be copied
        return Later, ()


def _copied(numbers: Tensor) -> "tuple[Tensor, torch.cuda.Event]":
    host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    host.copy_(numbers, non_blocking=True)
    arrival = torch.cuda.Event()
    arrival.record()
    return host, arrival
