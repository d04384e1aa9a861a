"""Run networks as they are, and leave no trace of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from interpreg._later import without_looks
from interpreg._networks import submodules_of
from interpreg.regularizers import Regularizer, Sum

OPAQUE = (nn.Module, Tensor, type, torch.Generator, str, int, float, dict, list, tuple, set)


@contextmanager
def untouched(reg: Regularizer, *networks: Any) -> Iterator[None]:
    """A context after which parameters, buffers, attributes and states of random numbers are as before.

    In it DistributedDataParallel does not communicate, and every term of a sum has its gradient whatever its turn is.
    """
    modules = list({id(m): m for network in (reg, *networks) for m in submodules_of(network)}.values())
    owners = [*modules, *_parts(modules)]
    attributes = [(owner, dict(vars(owner))) for owner in owners]
    generators = {id(v): v for _, values in attributes for v in values.values() if isinstance(v, torch.Generator)}
    states = [(generator, generator.get_state()) for generator in generators.values()]
    slots: list[tuple[dict[str, Any], str, Tensor, Tensor]] = [
        (holder, key, tensor, tensor.detach().clone())
        for module in modules
        for holder in (module._parameters, module._buffers)
        for key, tensor in holder.items()
        if tensor is not None
    ]
    devices = {tensor.device for *_, tensor in slots if tensor.is_cuda}
    try:
        with torch.random.fork_rng(sorted(d.index for d in devices)), without_looks():
            _make_local(modules)
            yield
    finally:
        for owner, before in attributes:
            _restore(vars(owner), before)
        for generator, state in states:
            generator.set_state(state)
        for holder, key, tensor, values in slots:
            holder[key] = tensor
            if (
                not torch.equal(tensor, values)
                and not (tensor.isnan() & values.isnan() | (tensor == values)).all()
            ):
                with torch.no_grad():
                    tensor.copy_(values)


def _parts(modules: list[nn.Module]) -> list[Any]:
    """Objects in attributes that have attributes of their own: ramps on their way, mixers, slots of bottlenecks."""
    parts: dict[int, Any] = {}
    for module in modules:
        values = list(vars(module).values())
        values += [inner for value in values if isinstance(value, dict) for inner in value.values()]
        for value in values:
            if (
                hasattr(value, "__dict__")
                and not isinstance(value, OPAQUE)
                and not callable(getattr(value, "__get__", None))
            ):
                parts[id(value)] = value
    return list(parts.values())


def _make_local(modules: list[nn.Module]) -> None:
    for module in modules:
        if isinstance(module, DistributedDataParallel):
            module.require_backward_grad_sync = module.require_forward_param_sync = False
        if isinstance(module, Sum):
            module.__dict__["_autoencoder_now"] = True


def _restore(now: dict[str, Any], before: dict[str, Any]) -> None:
    for key in [key for key in now if key not in before]:
        del now[key]
    for key, value in before.items():
        if now.get(key, now) is not value:
            now[key] = value
