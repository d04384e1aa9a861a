"""From terms to weighted losses; a term whose weight is the number 0 is not computed."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg._types import Term
from interpreg.functional.adaptive import adaptive_weight
from interpreg.regularizers.weights import Adaptive, Ramp

REFERENCE = "reconstruction"


class Evaluated(NamedTuple):
    """The losses of a batch, and what they are made of."""

    losses: dict[str, Tensor]
    unweighted: dict[str, Tensor]
    weights: dict[str, float | Tensor]


def evaluated(terms: dict[str, Term], like: Tensor) -> Evaluated:
    """The weighted losses of terms, 0-dim; ``like`` is a tensor on their device.

    Raises:
        TypeError: something is no :class:`interpreg.Term`, or its weight is none.
        ValueError: a value that is not 0-dim; a weight that is not finite; an adaptive weight without a reconstruction
            to compare with.
    """
    for name, term in terms.items():
        _check(name, term)
    values = {name: _value(name, term, like) for name, term in terms.items()}
    losses: dict[str, Tensor] = {}
    unweighted: dict[str, Tensor] = {}
    weights: dict[str, float | Tensor] = {}
    for name, value in values.items():
        weight = terms[name].weight
        if isinstance(weight, Adaptive):
            weight = _measured(name, weight, values, terms)
        is_tensor = isinstance(weight, Tensor)
        losses[name] = value * weight if is_tensor or weight != 1 else value
        unweighted[name] = value.detach()
        weights[name] = weight.detach() if is_tensor else weight
    return Evaluated(losses, unweighted, weights)


def without_gradient(term: Term) -> Term:
    """The same term with a detached value."""
    if not isinstance(term, Term):  # which is refused later
        return term
    value, weight = term
    weight = weight.value if isinstance(weight, Adaptive) else weight
    if isinstance(value, Tensor):
        return Term(value.detach(), weight)
    return Term(lambda: value().detach(), weight)


def _check(name: str, term: object) -> None:
    """Raise before anything is computed for a term that cannot be weighed."""
    if not isinstance(term, Term):
        raise TypeError(f"terms: expected a Term for {name!r}, got {_checks.describe(term)}")
    value, weight = term
    if isinstance(value, Tensor):
        _check_scalar(name, value)
    if isinstance(weight, Tensor):
        if weight.ndim != 0:
            raise ValueError(f"terms: expected a 0-dim weight of {name!r}, got {_checks.describe(weight)}")
    elif isinstance(weight.value if isinstance(weight, Adaptive) else weight, Ramp):
        raise TypeError(
            f"terms: expected the present weight of {name!r}, got a Ramp; declare weight = Weight() in the class and "
            "assign the ramp to self.weight, which is then read as a number"
        )
    elif not isinstance(weight, Adaptive) and not (isinstance(weight, float) and 0 <= weight < math.inf):
        _checks.as_number(f"weight of {name!r}", weight)


def _check_scalar(name: str, value: object) -> None:
    if not isinstance(value, Tensor) or value.ndim != 0:
        raise ValueError(f"terms: expected a 0-dim tensor as the value of {name!r}, got {_checks.describe(value)}")
    if not value.is_floating_point():
        raise ValueError(f"terms: expected a floating point value of {name!r}, got {_checks.describe(value)}")


def _value(name: str, term: Term, like: Tensor) -> Tensor:
    """A term's value; 0 without computing it where the weight is the number 0."""
    value, weight = term
    if isinstance(weight, (int, float)) and weight == 0:
        return torch.zeros((), dtype=wide_dtype(like), device=like.device)
    if not isinstance(value, Tensor) and callable(value):
        value = value()
    _check_scalar(name, value)
    return value


def _measured(name: str, weight: Adaptive, values: dict[str, Tensor], terms: dict[str, Term]) -> float | Tensor:
    """An adaptive weight, the ratio of gradients measured."""
    references = [
        values[key] * each.weight
        for key, each in terms.items()
        if key.startswith(REFERENCE) and not isinstance(each.weight, Adaptive)
    ]
    if not references:
        raise ValueError(
            "weight: expected a reconstruction term in the sum beside an Adaptive weight, to compare gradients with, "
            "got none; where the loop has a reconstruction loss of its own, multiply by "
            "interpreg.functional.adaptive_weight there"
        )
    if torch.compiler.is_compiling():
        raise RuntimeError("weight: expected no Adaptive weight in compiled code, which cannot measure gradients")
    value = values[name]
    assert not isinstance(weight.value, Ramp)
    if not (torch.is_grad_enabled() and value.requires_grad):
        return weight.value
    assert weight.at is not None
    try:
        ratio = adaptive_weight(sum(references[1:], references[0]), value, weight.at)
    except RuntimeError as error:
        raise ValueError(
            f"weight: expected Adaptive(at=) a parameter on which the reconstruction and {name!r} both depend, got "
            f"{_checks.describe(weight.at)}, on which one of them does not"
        ) from error
    return ratio * weight.value
