"""Weights of terms: a number, a 0-dim tensor, a ramp over training steps, or a ratio of gradients."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from torch import Tensor, nn

from interpreg import _checks
from interpreg._references import fixed
from interpreg.regularizers.processes import check_graph_may_change

if TYPE_CHECKING:
    from interpreg.regularizers.base import Regularizer


@dataclass(frozen=True)
class Ramp:
    r"""A weight that is 0 until a training step and then grows linearly.

    .. math:: w(t) = \mathrm{value} \cdot \min\left(1, \frac{t - \mathrm{start}}{\mathrm{over}}\right)
              \text{ for } t \ge \mathrm{start}, \quad 0 \text{ before}

    with t the regularizer's ``step``; ``over=0`` jumps to the value. While it is 0 its terms are not computed, and the
    parameters that only they train get no gradient (``None``). Compiled code has one graph before the ramp and one from
    then on; a captured CUDA graph must be captured anew when the ramp begins.

    Args:
        value: the weight at the end, a number of at least 0 or a 0-dim tensor.
        start: training step, at least 0.
        over: how many steps it grows, at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.

    >>> [float(Ramp(2.0, start=1, over=4).at(torch.tensor(t))) for t in range(6)]
    [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]
    """

    value: float | Tensor
    start: int = 0
    over: int = 0

    def __post_init__(self) -> None:
        _as_scalar("value", self.value)
        _checks.as_count("start", self.start)
        _checks.as_count("over", self.over)

    @property
    def first(self) -> int:
        """The first step at which the weight is not 0."""
        return self.start + (self.over > 0)

    def at(self, step: Tensor) -> Tensor:
        """The weight at a step, 0-dim; on the device of ``step``, without waiting for it."""
        since = step - self.start
        share = (since / self.over).clamp(0, 1) if self.over else (since >= 0)
        return share * self.value


@dataclass(frozen=True)
class Adaptive:
    """A weight times the ratio of the reconstruction's gradient to the term's own (VQGAN, Esser et al. 2021).

    The ratio is :func:`interpreg.functional.adaptive_weight`, measured at every call with gradients. It needs a
    reconstruction term in the sum, and is not for compiled code.

    Args:
        value: a number, a 0-dim tensor or a :class:`Ramp`.
        at: the parameter at which the gradients are compared; the decoder's last layer when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.
    """

    value: "float | Tensor | Ramp" = 1.0
    at: Tensor | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.value, Ramp):
            _as_scalar("value", self.value)
        if self.at is not None and not isinstance(self.at, Tensor):
            raise TypeError(f"at: expected a parameter, got {_checks.describe(self.at)}")


WeightLike = float | Tensor | Ramp | Adaptive
"""What may be assigned to a weight."""


class Weight:
    """A weight as a class attribute: checked when it is assigned, read as what it is at the present step.

    A number must be finite and at least 0. A 0-dim tensor is for schedules of the loop's own inside compiled code,
    which would compile anew for every number; its value is not read.

    Args:
        adaptive: whether :class:`Adaptive` is accepted.
    """

    def __init__(self, *, adaptive: bool = True) -> None:
        self._adaptive = adaptive

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Weight": ...
    @overload
    def __get__(self, instance: "Regularizer", owner: type) -> float | Tensor | Adaptive: ...
    def __get__(self, instance: "Regularizer | None", owner: type) -> "Weight | float | Tensor | Adaptive":
        if instance is None:
            return self
        if self._name not in instance.__dict__.get("_weights", {}):  # nn.Module would hide an AttributeError
            raise ValueError(
                f"{self._name}: expected a value, assigned in the constructor of {type(instance).__name__}, got none"
            )
        weight, ramp = instance._weights[self._name], instance._ramps.get(self._name)
        if ramp is None:
            assert not isinstance(weight, Ramp)
            return weight
        assert instance.step is not None
        now = ramp.ramp.at(instance.step) if ramp.begun else 0.0
        return replace(weight, value=now) if isinstance(weight, Adaptive) and ramp.begun else now

    def __set__(self, instance: "Regularizer", value: Any) -> None:
        if "_weights" not in instance.__dict__:
            raise ValueError(
                f"{self._name}: expected super().__init__(encoder, decoder) before a weight is assigned, got it after"
            )
        ramp = value
        if isinstance(value, Adaptive):
            if not self._adaptive:
                raise TypeError(
                    f"{self._name}: expected a number, a 0-dim tensor or a Ramp, got an Adaptive weight"
                )
            if value.at is None:
                value = replace(value, at=last_layer(instance.decoder))
            ramp = value.value
        elif not isinstance(value, Ramp):
            value = _as_scalar(self._name, value)
        if isinstance(ramp, Ramp):
            check_graph_may_change(self._name, instance.encoder, instance.decoder, instance)
            instance._ramps[self._name] = Running(ramp, instance._start_counting())
        else:
            instance._ramps.pop(self._name, None)
        instance._weights[self._name] = value

    def __delete__(self, instance: "Regularizer") -> None:
        raise fixed(instance, self._name)


class Running:
    """A ramp on its way: how many steps are left before it begins, counted on the host."""

    def __init__(self, ramp: Ramp, step: Tensor) -> None:
        self.ramp = ramp
        self.resume(step)

    def resume(self, step: Tensor) -> None:
        """Count from ``step``: the one look at the device, at assignment and at loading."""
        self.left = max(0, self.ramp.first - (0 if step.is_meta else int(step)))
        self.begun = self.left == 0

    def advance(self) -> None:
        """Count one training step."""
        self.left -= 1
        if self.left <= 0:
            self.begun = True


def scaled(weight: WeightLike, factor: float) -> WeightLike:
    """``factor`` times a weight of any kind."""
    if isinstance(weight, Adaptive):
        return Adaptive(scaled(weight.value, factor), weight.at)  # type: ignore[arg-type]
    if isinstance(weight, Ramp):
        return Ramp(weight.value * factor, weight.start, weight.over)
    return weight if factor == 1 else weight * factor


def last_layer(decoder: object) -> Tensor:
    """The weight of the decoder's last layer: its last trained parameter of at least two axes.

    Raises:
        TypeError: not a module, or one without such a parameter.
    """
    parameters = list(decoder.parameters()) if isinstance(decoder, nn.Module) else []
    layers = [p for p in parameters if p.ndim >= 2 and p.requires_grad]
    if not layers:
        raise TypeError(
            "at: expected a decoder with a trained layer, or the parameter at which gradients are compared "
            f"(Adaptive(0.5, at=decoder[-1].weight)), got None beside {_checks.describe(decoder)}"
        )
    return layers[-1]


def _as_scalar(name: str, value: Any) -> float | Tensor:
    """``value`` if it is a 0-dim tensor, or as a finite number of at least 0."""
    if isinstance(value, Tensor):
        if value.ndim != 0 or not value.is_floating_point():
            raise ValueError(f"{name}: expected a number or a 0-dim tensor, got {_checks.describe(value)}")
        return value
    return _checks.as_number(name, value, high=math.inf)
