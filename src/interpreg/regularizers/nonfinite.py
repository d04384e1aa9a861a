"""Which term is not finite, and the layer of which network that began in."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg._networks import leaves_of
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.trace import Trace, has_nan, is_finite, roles_of, tensors_of

SHOWN = 3  # names in a message


class Detecting(AbstractContextManager[None]):
    """Raises ``FloatingPointError`` at a call of ``reg`` whose losses or gradients are not finite; to be used again."""

    def __init__(self, reg: Regularizer) -> None:
        self._reg = reg
        self._open: list[AbstractContextManager[None]] = []

    @override
    def __enter__(self) -> None:
        context = _detecting(self._reg)
        context.__enter__()
        self._open.append(context)

    @override
    def __exit__(self, *error: Any) -> bool | None:
        return self._open.pop().__exit__(*error)


@contextmanager
def _detecting(reg: Regularizer) -> Iterator[None]:
    trace, calls = Trace(reg), 0

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        trace.clear({"x": args[0]} | kwargs if args else kwargs)

    def after(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], losses: dict[str, Tensor]) -> None:
        fault = fault_of(reg, trace, losses, reg.weights)
        if fault:
            raise FloatingPointError(fault)

    reported = reg._call_checks.looks.reported
    with ExitStack() as stack:
        if "not_finite" not in reported:  # the error says it
            reported.add("not_finite")
            stack.callback(reported.discard, "not_finite")
        stack.enter_context(trace.attached())
        stack.callback(reg.register_forward_pre_hook(before, with_kwargs=True).remove)
        stack.callback(reg.register_forward_hook(after, with_kwargs=True).remove)
        try:
            yield
        except FloatingPointError:
            raise
        except Exception as error:
            if not trace.found or not calls:
                raise
            reasons = "; ".join(_reasons(trace, None))
            raise FloatingPointError(
                f"{type(error).__name__}, behind values that are not finite: {reasons}"
            ) from error
    if not calls:
        raise RuntimeError(
            f"detect_nonfinite: expected a call of this {type(reg).__name__} inside, got none; call the regularizer "
            "itself, neither compiled nor a part of another"
        )


def fault_of(reg: Regularizer, trace: Trace, losses: dict[str, Tensor], weights: Mapping[str, Any]) -> str:
    """What is not finite among the losses and their gradients, and where it began; else an empty string."""
    wrong = [name for name, loss in losses.items() if not is_finite(loss)]
    if not wrong:
        return _fault_of_gradients(reg, losses) or _fault_of_statistics(reg)
    others = f" (nor {', '.join(map(repr, wrong[1:]))})" if wrong[1:] else ""
    reasons = "; ".join(_reasons(trace, weights.get(wrong[0])))
    return f"losses: {wrong[0]!r} is not finite{others}: {reasons}"


def _reasons(trace: Trace, weight: Any) -> Iterator[str]:
    is_said = False
    for name, value in trace.given.items():
        if isinstance(value, Tensor) and not is_finite(value):
            count = int((~value.isfinite()).sum())
            is_said = True
            yield f"{name} itself holds {count} of {value.numel()} values that are NaN or infinite"
    if trace.held:
        is_said = True
        more = f" and {len(trace.held) - SHOWN} more" if len(trace.held) > SHOWN else ""
        hold = f"hold{'s' * (len(trace.held) == 1)}"
        yield f"{', '.join(trace.held[:SHOWN])}{more} {hold} NaN or infinite values"
    if isinstance(weight, Tensor) and not is_finite(weight):
        is_said = True
        yield "its weight is not finite"
    if trace.found:
        yield trace.found
    elif not is_said:
        yield "the outputs of all networks are finite, so it began in the term's own formula"


def _fault_of_statistics(reg: Regularizer) -> str:
    """Running statistics that evaluation will use, and training does not."""
    buffers = tensors_of(roles_of(reg), ("buffers",))
    held = [name for name, tensor in buffers.items() if "running_" in name and has_nan(tensor)]
    if not held:
        return ""
    return f"losses: all are finite, but {held[0]} holds NaN, with which evaluation mode normalises; reset it"


def _fault_of_gradients(reg: Regularizer, losses: dict[str, Tensor]) -> str:
    """The first term with a gradient that is not finite, and at which parameter a backward first comes to one."""
    names = {id(tensor): name for name, tensor in tensors_of(roles_of(reg)).items()}
    for term, loss in losses.items():
        leaves = leaves_of([loss])
        if not leaves:
            continue
        try:
            gradients = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        except RuntimeError:  # re-entrant checkpoints allow no gradients but those of backward()
            continue
        wrong = {id(leaf) for leaf, g in zip(leaves, gradients, strict=True) if g is not None and not is_finite(g)}
        if wrong:  # from the last layer to the first
            where = next((name for key, name in reversed(names.items()) if key in wrong), "x")
            return (
                f"losses: {term!r} is finite, but its gradient is not, first at {where}; "
                "torch.autograd.detect_anomaly() around forward and backward names the operation"
            )
    return ""
