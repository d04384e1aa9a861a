"""Recognising activation checkpointing inside a network, at its first call with a graph."""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from interpreg._networks import nodes_of
from interpreg.batch import call

# what keeps tensors for the backward here; not in every version of torch
_hooks: Any = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)


class Checkpointing:
    """Refuses a network whose layers torch runs again in the backward, when they are not frozen any more.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.is_checked = False

    def is_due(self, value: Tensor) -> bool:
        """Whether this is the first call in training mode that has a graph."""
        return not self.is_checked and value.requires_grad and self.network.training and torch.is_grad_enabled()

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
        own = nodes_of([output]) - nodes_of([value]) if isinstance(output, Tensor) else set()
        is_reentrant = any("Checkpoint" in node.name() for node in own)
        if is_recomputed or is_reentrant:
            raise ValueError(
                "critic: expected a network without activation checkpointing, got one that torch would compute again "
                "in the backward, when it is not frozen any more; switch it off in the critic alone, or give one that "
                "was made without it, critic=..."
            )
        self.is_checked = True
        return output


def _watched(network: nn.Module, value: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
    with _Watch() as watch:
        output = call(network, value, mask)
    return output, watch.is_recomputed


class _Watch(TorchFunctionMode):
    """Sees whether an operation inside keeps its tensors by torch's checkpointing."""

    is_recomputed = False

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        hooks = _hooks(True)
        self.is_recomputed |= hooks is not None and hooks[0].__module__ == "torch.utils.checkpoint"
        return func(*args, **(kwargs or {}))
