"""The calls of a regularizer's networks, layer by layer, and which of them first gave a value that is not finite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import update_wrapper
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from interpreg._networks import modules_of
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.base import Regularizer


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

        return update_wrapper(call, network, assigned=(), updated=())  # which has its signature

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


def _held_before(roles: dict[str, Any]) -> list[str]:
    """Parameters that are not finite, and buffers with NaN: infinite ones are masks."""
    parameters, buffers = (tensors_of(roles, (kind,)) for kind in ("parameters", "buffers"))
    held = [name for name, tensor in parameters.items() if not is_finite(tensor)]
    return held + [name for name, tensor in buffers.items() if has_nan(tensor)]


def has_nan(tensor: Tensor) -> bool:
    """Whether a tensor holds NaN; values that cannot be read count as numbers."""
    try:
        return bool(tensor.detach().isnan().any())
    except (RuntimeError, NotImplementedError):  # no values that can be read
        return False
