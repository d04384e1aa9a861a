"""Calling a network with detached parameters: no graph to them, running statistics untouched."""

import weakref
from collections.abc import Sequence
from threading import RLock
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize

from interpreg._networks import is_synchronised
from interpreg.batch import call
from interpreg.regularizers.checkpointing import Checkpointing

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
Slot = tuple[dict[str, Any], str]
_locks: "weakref.WeakKeyDictionary[nn.Module, Any]" = weakref.WeakKeyDictionary()


class Frozen:
    """A network whose parameters get no gradient while it is called through here.

    Where its tensors live is looked up once, by module, so that a layer under two names is one layer; and again when
    its layers change. One thread at a time calls a network through here, frozen or with gradients.

    Args:
        network: the network.

    Raises:
        ValueError: at a call, a network some of which is computed again in the backward, unfrozen, as by activation
            checkpointing; one that makes layers at its first call.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._lock = _locks.setdefault(network, RLock())
        self._checkpointing = Checkpointing(network)
        self._look_up()

    def __call__(self, value: Tensor, mask: Tensor | None) -> Tensor:
        """``network(value, mask)`` with detached parameters."""
        if torch.compiler.is_compiling():
            if parametrize._cache_enabled:
                raise RuntimeError("critic: expected compiled code to be called outside of parametrize.cached()")
            state = _state(self.network)
            return call(lambda *of: functional_call(self.network, state, of, tie_weights=False), value, mask)
        with self._lock:
            return self._called_frozen(value, mask)

    def unfrozen(self, value: Tensor, mask: Tensor | None) -> Tensor:
        """``network(value, mask)`` with its parameters, while no other thread has them replaced."""
        if torch.compiler.is_compiling():
            return call(self.network, value, mask, "critic")
        with self._lock:
            return call(self.network, value, mask, "critic")

    def _called_frozen(self, value: Tensor, mask: Tensor | None) -> Tensor:
        if self._layout() != self._known_layout:
            self._look_up()
        slots = [*self._parameters, *self._buffers()]
        before = [holder[key] for holder, key in slots]
        # weights that parametrize.cached() keeps have a graph to the parameters, and the frozen ones have none
        cache, parametrize._cache = parametrize._cache, {}
        try:
            self._swap_in(slots, before)
            is_due = self._checkpointing.is_due(value)
            if not is_due:
                return call(self.network, value, mask, "critic")
            output = self._checkpointing.refused(value, mask)
        finally:
            parametrize._cache = cache
            for (holder, key), tensor in zip(slots, before, strict=True):
                holder[key] = tensor
            self._reset_rnns()
        known = {id(parameter) for parameter in before}
        made = [name for name, p in self.network.named_parameters() if id(p) not in known]
        if made:
            raise ValueError(
                f"critic: expected all parameters before its first call, got {made[0]!r} made in it, which no "
                "optimizer holds; call the critic once before making the regularizer and the optimizer"
            )
        self._checkpointing.check_backward(output, value)  # now that the parameters are back, as in every backward
        return output

    def _look_up(self) -> None:
        self._modules = list(self.network.modules())
        self._parameters: list[Slot] = [(m._parameters, k) for m in self._modules for k in m._parameters]
        self._aliases: list[Tensor | None] = [None] * len(self._parameters)
        # DistributedDataParallel exchanges statistics before a call, and fails where there are none
        needed = is_synchronised(self.network) or _reads_statistics(self._modules)
        self._statistics = {id(m._buffers) for m in self._modules if type(m) in _BATCH_NORMS and not needed}
        self._rnns = [m for m in self._modules if isinstance(m, nn.RNNBase)]
        self._known_layout = self._layout()

    def _layout(self) -> list[int]:
        """What changes when a layer is replaced, added, parametrised or pruned."""
        layout = []
        for m in self._modules:
            layout += [len(m._parameters), len(m._buffers), *map(id, m._modules.values())]
        return layout

    def _swap_in(self, slots: list[Slot], before: list[Any]) -> None:
        """Detached tensors in the place of parameters, and copies in the place of buffers."""
        count = len(self._parameters)
        for (holder, key), alias in zip(self._parameters, self._detached(before[:count]), strict=True):
            holder[key] = alias
        for (holder, key), buffer in zip(slots[count:], before[count:], strict=True):
            holder[key] = None if id(holder) in self._statistics else buffer.detach().clone()
        self._reset_rnns()

    def _reset_rnns(self) -> None:
        """Recurrent layers hold their parameters in a list of their own as well."""
        for rnn in self._rnns:
            rnn._flat_weights = [getattr(rnn, name, None) for name in rnn._flat_weights_names]

    def _detached(self, parameters: list[Tensor | None]) -> list[Tensor | None]:
        """Detached views of the parameters, made anew only where a parameter got other memory."""
        aliases = self._aliases
        for i, parameter in enumerate(parameters):
            alias = aliases[i]
            if parameter is None:
                aliases[i] = None
            elif alias is None or not _is_view_of(alias, parameter):
                aliases[i] = parameter.detach()
        return aliases

    def _buffers(self) -> list[Slot]:
        """The buffers that the call might change, or that must not be changed while its backward is to come."""
        slots = []
        for module in self._modules:
            if not module._buffers or (type(module) in _BATCH_NORMS and not module.training):
                continue
            # Batch normalisation in training mode reads no running statistics: without them it updates none.
            slots += [(module._buffers, key) for key, buffer in module._buffers.items() if buffer is not None]
        return slots


def _is_view_of(alias: Tensor, parameter: Tensor) -> bool:
    return type(alias) is Tensor and type(parameter) is nn.Parameter and alias.is_set_to(parameter)


def _reads_statistics(modules: Sequence[nn.Module]) -> bool:
    """Whether hooks, or the code of classes that are not torch's, may read running statistics."""
    kinds = {kind for m in modules for kind in type(m).__mro__ if not kind.__module__.startswith("torch.nn.")}
    functions = [each for kind in kinds for each in vars(kind).values() if isinstance(each, FunctionType)]
    is_read = any(not _STATISTICS.isdisjoint(function.__code__.co_names) for function in functions)
    return is_read or any(m._forward_hooks or m._forward_pre_hooks for m in modules)


def _state(network: nn.Module) -> dict[str, Tensor]:
    """Detached parameters and copies of buffers: each module's own once, because a second name would lose them."""
    state: dict[str, Tensor] = {}
    for prefix, module in network.named_modules():
        prefix = prefix and f"{prefix}."
        state |= {prefix + name: p.detach() for name, p in module._parameters.items() if p is not None}
        state |= {prefix + name: b.detach().clone() for name, b in module._buffers.items() if b is not None}
    return state
