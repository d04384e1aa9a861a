"""Counting training steps: on the device for ramps, on the host for what has a gradient at all."""

import itertools
import weakref
from typing import Protocol

import torch
from torch import Tensor

_keys = itertools.count()
_counting: "weakref.WeakValueDictionary[int, HostCounted]" = weakref.WeakValueDictionary()


class HostCounted(Protocol):
    """What counts on the host as well."""

    def count_on_host(self) -> None:
        """Count one training step in attributes that compiled code is guarded by."""


def register(counted: HostCounted) -> int:
    """A number by which compiled code finds ``counted`` again."""
    key = next(_keys)
    _counting[key] = counted
    return key


def count(steps: list[Tensor]) -> None:
    """Count one training step on the device."""
    torch._foreach_add_(steps, 1)


@torch.library.custom_op("interpreg::count_training_step", mutates_args={"steps"})
def count_from_graph(steps: list[Tensor], key: int) -> None:
    """The same from inside a compiled graph, and on the host, whose attributes are no part of the graph."""
    count(steps)
    _counting[key].count_on_host()


@count_from_graph.register_fake
def _(steps: list[Tensor], key: int) -> None:
    """Tracing counts nothing."""
