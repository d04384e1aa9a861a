"""Which term is not finite, and the layer of which network that began in."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from interpreg._networks import leaves_of, modules_of
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.base import Regularizer

SHOWN = 3  # names in a message


def roles_of(reg: Regularizer) -> dict[str, Any]:
    """The networks of a regularizer: encoder, decoder and critics."""
    roles = {"encoder": reg.encoder, "decoder": reg.decoder}
    for module in reg.modules():
        if isinstance(module, Adversary):
            number = len(roles) - 1
            roles["critic" if number == 1 else f"critic_{number}"] = module.network
    return roles


def tensors_of(roles: dict[str, Any], kinds: tuple[str, ...] = ("parameters", "buffers")) -> dict[str, Tensor]:
    """The parameters and buffers of networks by names such as ``decoder.3.weight``, each once."""
    named: dict[int, tuple[str, Tensor]] = {}
    for role, network in roles.items():
        for module in modules_of(network):
            for kind in kinds:
                for name, tensor in getattr(module, f"named_{kind}")():
                    named.setdefault(id(tensor), (f"{role}.{name}", tensor))
    return dict(named.values())


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
        trace.clear(dict(zip("x", args, strict=False)) | kwargs)

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


def fault_of(reg: Regularizer, trace: "Trace", losses: dict[str, Tensor], weights: Mapping[str, Any]) -> str:
    """What is not finite among the losses and their gradients, and where it began; else an empty string."""
    wrong = [name for name, loss in losses.items() if not is_finite(loss)]
    if not wrong:
        return _fault_of_gradients(reg, losses) or _fault_of_statistics(reg)
    others = f" (nor {', '.join(map(repr, wrong[1:]))})" if wrong[1:] else ""
    reasons = "; ".join(_reasons(trace, weights.get(wrong[0])))
    return f"losses: {wrong[0]!r} is not finite{others}: {reasons}"


def _reasons(trace: "Trace", weight: Any) -> Iterator[str]:
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


def _held_before(roles: dict[str, Any]) -> list[str]:
    """Parameters that are not finite, and buffers with NaN: infinite ones are masks."""
    parameters, buffers = (tensors_of(roles, (kind,)) for kind in ("parameters", "buffers"))
    held = [name for name, tensor in parameters.items() if not is_finite(tensor)]
    return held + [name for name, tensor in buffers.items() if _has_nan(tensor)]


def _has_nan(tensor: Tensor) -> bool:
    try:
        return bool(tensor.detach().isnan().any())
    except (RuntimeError, NotImplementedError):  # no values that can be read
        return False


def _fault_of_statistics(reg: Regularizer) -> str:
    """Running statistics that evaluation will use, and training does not."""
    buffers = tensors_of(roles_of(reg), ("buffers",))
    held = [name for name, tensor in buffers.items() if "running_" in name and _has_nan(tensor)]
    if not held:
        return ""
    return f"losses: all are finite, but {held[0]} holds NaN, with which evaluation mode normalises; reset it"


def _fault_of_gradients(reg: Regularizer, losses: dict[str, Tensor]) -> str:
    """The first term with a gradient that is not finite, and at which parameter."""
    names = {id(tensor): name for name, tensor in tensors_of(roles_of(reg)).items()}
    for term, loss in losses.items():
        leaves = leaves_of([loss])
        if not leaves:
            continue
        try:
            gradients = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        except RuntimeError:  # re-entrant checkpoints allow no gradients but those of backward()
            continue
        for leaf, gradient in zip(leaves, gradients, strict=True):
            if gradient is not None and not is_finite(gradient):
                return (
                    f"losses: {term!r} is finite, but its gradient is not, first at {names.get(id(leaf), 'x')}; "
                    "torch.autograd.detect_anomaly() around forward and backward names the operation"
                )
    return ""


class Trace:
    """The calls of a regularizer's networks, and where an output first was not finite.

    Layers are watched by hooks, which do not run inside compiled or scripted networks: these are one layer here.
    """

    def __init__(self, reg: Regularizer) -> None:
        self.reg, self.roles = reg, roles_of(reg)
        self.clear()

    def clear(self, given: dict[str, Any] | None = None) -> None:
        """Forget the last batch; ``given`` are the arguments of the next, perhaps with codes ``z`` of the loop."""
        self.given = {name: value for name, value in (given or {}).items() if name != "mask"}
        self.held = _held_before(self.roles)
        self.found = ""
        self.ran: set[int] = set()  # layers
        self._codes = self.given.get("z")
        self.calls = dict.fromkeys(self.roles, 0)
        self._role = ""
        self._on = ""
        self._first = ""  # layer of this call
        self._came_in = False  # with the input of this call

    @contextmanager
    def attached(self) -> Iterator["Trace"]:
        """With hooks on all networks and layers, which are removed at the end."""
        with ExitStack() as stack:
            layers: dict[int, tuple[str, nn.Module]] = {}
            for role, network in self.roles.items():
                for module in modules_of(network):
                    for name, layer in _layers(module):
                        layers.setdefault(id(layer), (name, layer))
                if _is_plain(network) or role.startswith("critic"):
                    stack.callback(network.register_forward_pre_hook(self._before(role)).remove)
                else:
                    stack.callback(self.reg.__dict__.__setitem__, f"_ref_{role}", network)
                    self.reg.__dict__[f"_ref_{role}"] = self._called(role, network)
            for name, layer in layers.values():
                stack.callback(layer.register_forward_hook(self._after_layer(name)).remove)
            for role, network in self.roles.items():
                if _is_plain(network) or role.startswith("critic"):
                    stack.callback(network.register_forward_hook(self._after(role)).remove)
            yield self

    def _before(self, role: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._enter(role, *inputs)

        return hook

    def _after(self, role: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._leave(role, output)

        return hook

    def _after_layer(self, name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self.ran.add(id(layer))
            if torch.compiler.is_compiling() or not self._role or self._first or is_finite(output):
                return
            label = f"layer {name} ({type(layer).__name__})" if name else f"its module ({type(layer).__name__})"
            state = "finite" if is_finite(inputs) else "not finite"
            limit = f" ({_half(output)})" if _half(output) else ""
            self._first = f"the output of {label}, whose input is {state}{limit},"

        return hook

    def _called(self, role: str, network: Any) -> Callable[..., Any]:
        """A function that calls a network without hooks of its own: a method, a lambda, a compiled module."""

        def call(*inputs: Any) -> Any:
            self._enter(role, *inputs)
            output = network(*inputs)
            self._leave(role, output)
            return output

        call.__wrapped__ = network  # type: ignore[attr-defined]  # for its signature
        return call

    def _enter(self, role: str, *inputs: Any) -> None:
        self.calls[role] += 1
        self._role, self._first, self._on = role, "", ""
        self._came_in = not self.found and not is_finite(inputs)
        if role == "decoder" and self._codes is not None:
            self._on = ", on the codes of x" if inputs[0] is self._codes else ", on mixed codes"
        elif role == "encoder" and self.calls[role] > 1:
            self._on = ", on decoded images"

    def _leave(self, role: str, output: Any) -> None:
        if role == "encoder" and self._codes is None and isinstance(output, Tensor):
            self._codes = output
        if not self.found and not is_finite(output):
            call = f"call {self.calls[role]} of the {role}{self._on}"
            where = self._first or "the output,"
            self.found = (
                f"it came in with the input of {call}" if self._came_in else f"it began in {where} in {call}"
            )
        self._role = ""


def is_finite(values: Any) -> bool:
    """Whether all tensors in a nested structure are finite; values that cannot be read count as finite."""
    tensors = [
        v for v in tree_leaves(values) if isinstance(v, Tensor) and (v.is_floating_point() or v.is_complex())
    ]
    try:
        return all(bool(tensor.detach().isfinite().all()) for tensor in tensors)
    except (RuntimeError, NotImplementedError):  # inside torch.func
        return True


def _half(output: Any) -> str:
    """The type of an output in half precision, in which a large value is infinite."""
    if isinstance(output, Tensor) and output.dtype == torch.float16:
        return "float16, in which more than 65504 is infinite"
    return ""


def _layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A module and those inside it by name; those inside compiled and scripted ones, which run no hooks, left out."""
    yield name, module
    if _is_plain(module):
        for child, inner in module.named_children():
            yield from _layers(inner, f"{name}.{child}" if name else child)


def _is_plain(network: object) -> bool:
    """Whether it is a module that runs its hooks and those of its layers."""
    return (
        isinstance(network, nn.Module)
        and not isinstance(network, torch.jit.ScriptModule)
        and type(network).__name__ != "OptimizedModule"
        and network._compiled_call_impl is None
    )
