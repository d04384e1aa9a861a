"""Checks on types, shapes and arguments. Every message names the argument, what was expected, what came.

No check reads the values of a tensor, so none synchronises with a device.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn


def describe(value: object) -> str:
    """A short account of ``value`` for an error message."""
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of length {len(value)}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'AEIOaeio' else 'a'} {kind}"


def check_tensor(name: str, value: object, hint: str = "") -> None:
    """Raise ``TypeError`` unless ``value`` is a floating point tensor with a batch axis."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {describe(value)}{hint}")
    if not value.is_floating_point():
        raise TypeError(f"{name}: expected a floating point tensor, got {describe(value)}{hint}")
    if value.ndim == 0:
        raise ValueError(f"{name}: expected a batch of shape [B, ...], got {describe(value)}")


def check_vector(name: str, value: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``value`` is a floating point tensor ``[n]``."""
    check_tensor(name, value)
    if isinstance(value, Tensor) and value.ndim != 1:
        raise ValueError(f"{name}: expected shape [n], got {describe(value)}")


def check_batch_size(name: str, value: Tensor, batch_size: int) -> None:
    """Raise ``ValueError`` unless the first axis of ``value`` is ``batch_size`` long."""
    if value.shape[0] != batch_size:
        raise ValueError(f"{name}: expected a batch of {batch_size} samples, got {describe(value)}")


def check_labels(name: str, value: object, n: int, of: str) -> None:
    """Raise ``ValueError`` unless ``value`` is an integer tensor ``[n]``; ``of`` names what it labels."""
    if (
        not isinstance(value, Tensor)
        or value.is_floating_point()
        or value.dtype == torch.bool
        or value.shape != (n,)
    ):
        raise ValueError(
            f"{name}: expected whole numbers of shape [{n}], one for each of {of}, got {describe(value)}"
        )


def check_shape(name: str, value: Tensor, shape: torch.Size, like: str) -> None:
    """Raise ``ValueError`` unless ``value`` has the ``shape`` of the tensor called ``like``."""
    if value.shape != shape:
        raise ValueError(f"{name}: expected the shape of {like}, {tuple(shape)}, got {describe(value)}")


def check_one_of(name: str, value: object, choices: Iterable[str | None]) -> None:
    """Raise ``ValueError`` unless ``value`` is among ``choices``."""
    names = list(choices)
    if value not in names:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, names))}, got {describe(value)}")


def is_published(preset: object) -> bool:
    """Whether a preset is a paper's released code; ``ValueError`` unless it is that or None."""
    check_one_of("preset", preset, (None, "published", "paper"))
    return preset is not None


def check_unused(name: str, value: object, beside: str) -> None:
    """Raise ``ValueError`` if an argument is given that has no effect beside another one."""
    if value is not None and value is not False:
        raise ValueError(
            f"{name}: expected {'False' if value is True else 'None'} with {beside}, which does not use "
            f"it, got {describe(value)}"
        )


def check_network(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` can be called."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name}: expected a module or another callable of one tensor, got {describe(value)}")


def check_unsharded(name: str, module: nn.Module, instead: str) -> None:
    """Raise ``TypeError`` if a parameter is sharded over processes, as by ``fully_shard``."""
    for key, p in module.named_parameters():
        # by name, because importing the class takes a second
        if type(p).__name__ == "DTensor":
            raise TypeError(f"{name}: expected whole parameters, got {key!r} sharded over processes; {instead}")


def as_number(name: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
    """``value`` as a float; ``TypeError`` or ``ValueError`` unless it is finite and in [low, high]."""
    # Real includes NumPy's numbers
    if isinstance(value, bool) or not isinstance(value, (float, int, Real)):
        raise TypeError(f"{name}: expected a number, got {describe(value)}")
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        bounds = f"in [{low:g}, {high:g}]" if high < math.inf else f"of at least {low:g}"
        raise ValueError(f"{name}: expected a finite number {bounds}, got {value!r}")
    return number


def as_positive(name: str, value: Any, expected: str = "a positive number") -> float:
    """``value`` as a float; ``TypeError`` or ``ValueError`` unless it is finite and above 0."""
    number = as_number(name, value)
    if number == 0:
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return number


def as_count(name: str, value: Any, low: int = 0) -> int:
    """``value``; ``TypeError`` or ``ValueError`` unless it is an int of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, (int, Integral)):
        raise TypeError(f"{name}: expected an int, got {describe(value)}")
    if value < low:
        raise ValueError(f"{name}: expected an int of at least {low}, got {value}")
    return int(value)


def as_interval(name: str, value: Any) -> tuple[float, float]:
    """``value`` as a pair (low, high); ``ValueError`` unless 0 <= low < high <= 1."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name}: expected a pair (low, high), got {describe(value)}")
    low, high = (as_number(name, end, high=1.0) for end in value)
    if not low < high:
        raise ValueError(f"{name}: expected low < high within [0, 1], got {value!r}")
    return low, high
