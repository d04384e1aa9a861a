"""Calling a network with detached parameters: no graph to them, running statistics untouched."""

import weakref
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize

from interpreg._networks import is_synchronised
from interpreg.batch import call
from interpreg.regularizers.checkpointing import Checkpointing

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Slot = tuple[dict[str, Any], str]
_locks: "weakref.WeakKeyDictionary[nn.Module, Any]" = weakref.WeakKeyDictionary()


class Frozen:
    """A network whose parameters get no gradient while it is called through here.

    Where its tensors live is looked up once, by module, so that a layer under two names is one layer; and again when
    its layers change. One thread at a time calls a network through here, frozen or with gradients.

    Args:
        network: the network.

    Raises:
        ValueError: at a call, a network with activation checkpointing, which is recomputed in the backward, unfrozen.
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
            if self._checkpointing.is_due(value):
                return self._checkpointing.refused(value, mask)
            return call(self.network, value, mask, "critic")
        finally:
            parametrize._cache = cache
            for (holder, key), tensor in zip(slots, before, strict=True):
                holder[key] = tensor
            self._reset_rnns()

    def _look_up(self) -> None:
        self._modules = list(self.network.modules())
        self._parameters: list[Slot] = [(m._parameters, k) for m in self._modules for k in m._parameters]
        self._aliases: list[Tensor | None] = [None] * len(self._parameters)
        # DistributedDataParallel exchanges statistics before a call, and fails where there are none
        norms = [] if is_synchronised(self.network) else [m for m in self._modules if type(m) in _BATCH_NORMS]
        self._statistics = {id(m._buffers) for m in norms}
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


def _state(network: nn.Module) -> dict[str, Tensor]:
    """Detached parameters and copies of buffers: each module's own once, because a second name would lose them."""
    state: dict[str, Tensor] = {}
    for prefix, module in network.named_modules():
        prefix = prefix and f"{prefix}."
        state |= {prefix + name: p.detach() for name, p in module._parameters.items() if p is not None}
        state |= {prefix + name: b.detach().clone() for name, b in module._buffers.items() if b is not None}
    return state
