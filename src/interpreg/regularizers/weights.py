"""Weights: attributes that a schedule may change, checked at each change; and those that measure gradients."""

from typing import Any, overload

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._types import Adaptive, Term
from interpreg.functional.adaptive import adaptive_weight

REFERENCE = "reconstruction"


class Weight:
    """A weight as a class attribute: what is assigned must be a finite number of at least 0, or a 0-dim tensor.

    A tensor is for schedules inside compiled code, which would compile anew for every number; its value is not looked
    at.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Weight": ...
    @overload
    def __get__(self, instance: object, owner: type) -> float | Tensor: ...
    def __get__(self, instance: object, owner: type) -> "Weight | float | Tensor":
        return self if instance is None else instance.__dict__["_weights_" + self._name]

    def __set__(self, instance: object, value: Any) -> None:
        if not isinstance(value, Tensor):
            value = _checks.as_number(self._name, value)
        elif value.ndim != 0 or not value.is_floating_point():
            raise ValueError(f"{self._name}: expected a number or a 0-dim tensor, got {_checks.describe(value)}")
        instance.__dict__["_weights_" + self._name] = value


def last_layer(decoder: object) -> Tensor:
    """The weight of the decoder's last layer: its last parameter of at least two axes.

    Raises:
        TypeError: not a module, or one without such a parameter.
    """
    parameters = list(decoder.parameters()) if isinstance(decoder, nn.Module) else []
    layers = [p for p in parameters if p.ndim >= 2 and p.requires_grad]
    if not layers:
        raise TypeError(
            "adaptive: expected a decoder with a trained layer, or the parameter at which gradients are compared "
            f"(adaptive=decoder[-1].weight), got True beside {_checks.describe(decoder)}"
        )
    return layers[-1]


def adaptive_at(adaptive: object, decoder: object) -> Tensor | None:
    """The parameter that ``adaptive`` means: none, the decoder's last layer, or the one given."""
    if isinstance(adaptive, Tensor):
        return adaptive
    if not isinstance(adaptive, bool):
        raise TypeError(f"adaptive: expected True, False or a parameter, got {_checks.describe(adaptive)}")
    return last_layer(decoder) if adaptive else None


def resolved(term: Term, terms: dict[str, Term]) -> float | Tensor:
    """A term's weight as a number or tensor, the ratio of gradients measured where the weight is adaptive."""
    if not isinstance(term.weight, Adaptive):
        return term.weight
    references = [
        each.value * each.weight
        for name, each in terms.items()
        if name.startswith(REFERENCE) and not isinstance(each.weight, Adaptive)
    ]
    if not references:
        raise ValueError(
            "adaptive: expected a reconstruction term in the sum to compare gradients with, got none; where the loop "
            "has a reconstruction loss of its own, multiply by interpreg.functional.adaptive_weight there"
        )
    if not (torch.is_grad_enabled() and term.value.requires_grad):
        return term.weight.weight
    reference = sum(references[1:], references[0])
    return adaptive_weight(reference, term.value, term.weight.at) * term.weight.weight


def without_ratio(weight: float | Tensor | Adaptive) -> float | Tensor:
    """The weight before any ratio of gradients."""
    return weight.weight if isinstance(weight, Adaptive) else weight
