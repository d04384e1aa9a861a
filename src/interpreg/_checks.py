"""Checks on types, shapes and arguments. Every message names the argument, what was expected, what came.

No check reads the values of a tensor, so none synchronises with a device.
"""

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from interpreg._networks import is_sharded, modules_of
from interpreg._numerics import has_memory

PLAIN = {
    "DTensor": "its whole, x.full_tensor(), or the part of this process, x.to_local()",
    "MaskedTensor": "its values, x.get_data(), and for padded sequences mask=",
}
"""What to give in place of tensors that are not dense, by the name of their class: importing it takes a second."""


def describe(value: object) -> str:
    """A short account of ``value`` for an error message."""
    if isinstance(value, Tensor):
        if value.is_nested:
            return f"a nested {value.dtype} tensor"
        kind = "" if value.layout == torch.strided else f"{str(value.layout).removeprefix('torch.')} "
        return f"a {kind}{value.dtype} tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of length {len(value)}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'AEIOaeio' else 'a'} {kind}"


def as_plain(name: str, value: object, hint: Callable[[object], str] | None = None) -> Tensor:
    """``value`` as a dense tensor with a batch axis, of no subclass that only carries metadata, such as a Parameter.

    Raises:
        TypeError: no tensor, of which ``hint`` says what to give instead; or a sparse, nested, masked, distributed,
            complex or quantized one.
        ValueError: a 0-dim tensor.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {describe(value)}{hint(value) if hint else ''}")
    kind = type(value)
    is_usual = (
        kind is Tensor and value.is_floating_point() and value.layout is torch.strided and not value.is_nested
    )
    instead = None if is_usual else _dense_instead(value)
    if instead is not None:
        what = describe(value) if kind is Tensor else f"a {kind.__name__}"
        raise TypeError(f"{name}: expected a dense real tensor, got {what}; give {instead}")
    _check_batch_axis(name, value)
    if kind is Tensor or not has_memory(value) or torch.compiler.is_compiling():  # a tracer of torch's stays one
        return value
    return value.as_subclass(Tensor)


def as_floats(name: str, value: object, hint: Callable[[object], str] | None = None) -> Tensor:
    """As :func:`as_plain`; ``TypeError`` too unless it is floating point."""
    plain = as_plain(name, value, hint)
    if not plain.is_floating_point():
        check_tensor(name, plain)
    return plain


def _check_batch_axis(name: str, value: Tensor) -> None:
    if value.ndim == 0:
        raise ValueError(f"{name}: expected a batch of shape [B, ...], got {describe(value)}")


def _dense_instead(value: Tensor) -> str | None:
    """What to give in place of a tensor that is not dense and real."""
    kind = type(value)
    if value.is_nested:
        return "a padded one, torch.nested.to_padded_tensor(x, 0.0), and mask="
    if value.layout is not torch.strided:
        return "x.to_dense()"
    if value.is_complex():
        return "torch.view_as_real(x)"
    if value.is_quantized:
        return "x.dequantize()"
    if kind not in (Tensor, nn.Parameter) and has_memory(value) and torch.compiler.is_compiling():
        return "x.as_subclass(torch.Tensor), because torch compiles no other subclasses"
    return PLAIN.get(kind.__name__)


def check_tensor(name: str, value: object, hint: str = "") -> None:
    """Raise ``TypeError`` unless ``value`` is a floating point tensor with a batch axis."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {describe(value)}{hint}")
    if not value.is_floating_point():
        raise TypeError(f"{name}: expected a floating point tensor, got {describe(value)}{hint}")
    _check_batch_axis(name, value)


def check_vector(name: str, value: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``value`` is a floating point tensor ``[n]``."""
    check_tensor(name, value)
    if isinstance(value, Tensor) and value.ndim != 1:
        raise ValueError(f"{name}: expected shape [n], got {describe(value)}")


def check_scalars(**values: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless all are 0-dim floating point tensors."""
    for name, value in values.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise TypeError(f"{name}: expected a 0-dim floating point tensor, got {describe(value)}")
        if value.ndim != 0:
            raise ValueError(f"{name}: expected a 0-dim tensor, got {describe(value)}")


def check_parameter(name: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is a tensor that requires a gradient."""
    if not isinstance(value, Tensor) or not value.requires_grad:
        raise TypeError(f"{name}: expected a parameter, a tensor that requires a gradient, got {describe(value)}")


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


def check_callable(name: str, value: object, expected: str) -> None:
    """Raise ``TypeError`` unless ``value`` is a callable, as a class in the place of its instance is not."""
    if isinstance(value, type):
        raise TypeError(
            f"{name}: expected {expected}, got {describe(value)}; give an instance, {value.__name__}()"
        )
    if not callable(value):
        raise TypeError(f"{name}: expected {expected}, got {describe(value)}")


def check_name_or_callable(name: str, value: object, choices: Iterable[str], of: str) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``value`` is among ``choices`` or a callable ``of`` something."""
    if callable(value):
        check_callable(name, value, f"a name or a callable of {of}")
    else:
        check_one_of(name, value, choices)


def as_generator(value: object) -> torch.Generator | None:
    """``value``; ``TypeError`` unless it is a generator or None."""
    if value is not None and not isinstance(value, torch.Generator):
        raise TypeError(
            f"generator: expected a torch.Generator or None, got {describe(value)}; give "
            "torch.Generator(device).manual_seed(seed)"
        )
    return value


def as_flag(name: str, value: object) -> bool:
    """``value``; ``TypeError`` unless it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, got {describe(value)}")
    return value


def check_unsharded(name: str, network: object, instead: str) -> None:
    """Raise ``TypeError`` if a parameter is sharded over processes, as by ``fully_shard``."""
    if is_sharded(network):
        named = [each for module in modules_of(network) for each in module.named_parameters()]
        key = next((key for key, p in named if type(p).__name__ == "DTensor"), named[0][0])
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
