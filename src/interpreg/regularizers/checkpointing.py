"""Recognising a network that is computed again in its backward, as by activation checkpointing."""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from interpreg._later import is_look
from interpreg._networks import is_synchronised, nodes_of
from interpreg.batch import call

_HARMLESS = {"CompiledFunction", "BackwardHookFunction"}  # torch's own, in graphs of frozen parameters
# what keeps tensors for the backward here; not in every version of torch
_hooks: Any = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)


class Checkpointing:
    """Refuses a network whose layers are run again in the backward, when they are not frozen any more.

    It looks at calls 1, 2, 4, 8 ... that have a graph, because checkpointing may be switched on later.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.count = 0

    def is_due(self, value: Tensor) -> bool:
        """Whether this call has a graph and is the first, second, fourth ... that has."""
        if not (value.requires_grad and torch.is_grad_enabled()):
            return False
        self.count += 1
        return is_look(self.count)

    def refused(self, value: Tensor, mask: Tensor | None) -> Tensor:
        """``network(value, mask)``.

        Raises:
            ValueError: some of it is checkpointed, by either of torch's ways.
        """
        if any(hasattr(module, "_orig_mod") for module in self.network.modules()):
            # what torch.compile compiles, it recomputes inside the graph, with the frozen parameters
            output, is_recomputed = call(self.network, value, mask), False
        else:
            # compiled code with graph breaks would trace the watch
            watched = torch.compiler.disable(_watched) if "torch._dynamo" in sys.modules else _watched
            output, is_recomputed = watched(self.network, value, mask)
        if is_recomputed:
            raise _refusal()
        return output

    def check_backward(self, output: object, value: Tensor) -> None:
        """Refuse an output of ``value`` whose backward, by a ``torch.autograd.Function``, trains the network.

        Such functions cannot be read, so where there is one its backward is run, down to ``value`` and for zeros.
        """
        if not isinstance(output, Tensor) or not output.requires_grad or is_synchronised(self.network):
            return
        own: list[Any] = [n for n in nodes_of([output]) - nodes_of([value]) if isinstance(n, BackwardCFunction)]
        if not any(node.name().removesuffix("Backward") not in _HARMLESS for node in own):
            return
        parameters = list(self.network.parameters())
        gradients = [p.grad for p in parameters]
        try:
            for p in parameters:
                p.grad = None
            torch.autograd.grad(output, value, torch.zeros_like(output), retain_graph=True, allow_unused=True)
            is_recomputed = any(p.grad is not None for p in parameters)
        except RuntimeError:  # torch's checkpoints refuse this; others would fail in the user's backward too
            is_recomputed = any("Checkpoint" in node.name() for node in own)
        finally:
            for p, gradient in zip(parameters, gradients, strict=True):
                p.grad = gradient
        if is_recomputed:
            raise _refusal()


def _refusal() -> ValueError:
    return ValueError(
        "critic: expected a network without activation checkpointing and reversible layers, got one that is computed "
        "again in the backward, when it is not frozen any more; switch that off in the critic alone, or give one that "
        "was made without it, critic=..."
    )


def _watched(network: nn.Module, value: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
    with _Watch() as watch:
        output = call(network, value, mask)
    return output, watch.is_recomputed


class _Watch(TorchFunctionMode):
    """Sees whether an operation inside keeps its tensors by torch's checkpointing."""

    is_recomputed = False

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.compiler.is_compiling():  # a part of the network, which keeps what it computes again to itself
            return func(*args, **(kwargs or {}))
        hooks = _hooks(True)
        self.is_recomputed |= hooks is not None and hooks[0].__module__ == "torch.utils.checkpoint"
        return func(*args, **(kwargs or {}))
