"""Run networks as they are, and leave no trace of it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from interpreg._later import without_looks
from interpreg._networks import references_of, submodules_of
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
    values = {id(v): v for _, held in attributes for v in held.values()}
    contents = [(v, v.copy()) for v in values.values() if isinstance(v, (dict, list, set))]
    kept = [(v, v.detach().clone()) for v in values.values() if isinstance(v, Tensor)]
    referred = [v for network in (reg, *networks) for v in references_of(network)]
    generators = {id(v): v for v in (*values.values(), *referred) if isinstance(v, torch.Generator)}
    states = [(generator, generator.get_state()) for generator in generators.values()]
    slots: list[tuple[dict[str, Any], str, Tensor, Tensor]] = [
        (holder, key, tensor, tensor.detach().clone())
        for module in modules
        for holder in (module._parameters, module._buffers)
        for key, tensor in holder.items()
        if tensor is not None
    ]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = {tensor.device for *_, tensor in slots if tensor.is_cuda}
    try:
        with torch.random.fork_rng(sorted(d.index for d in devices)), without_looks():
            _make_local(modules)
            yield
    finally:
        for owner, before in attributes:
            _restore(vars(owner), before)
        for value, content in contents:
            _refill(value, content)
        for generator, state in states:
            generator.set_state(state)
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        for holder, key, tensor, _ in slots:
            holder[key] = tensor
        for tensor, before_it in (*kept, *((tensor, copy) for *_, tensor, copy in slots)):
            _reset(tensor, before_it)


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


def _refill(value: Any, content: Any) -> None:
    """A container with what it held before, and the same objects."""
    if isinstance(value, list):
        if len(value) != len(content) or any(a is not b for a, b in zip(value, content, strict=True)):
            value[:] = content
    elif value.keys() != content.keys() if isinstance(value, dict) else value != content:
        value.clear()
        value.update(content)
    elif isinstance(value, dict):
        value.update(content)


def _reset(tensor: Tensor, before: Tensor) -> None:
    """A tensor with the values that it had before; NaN is equal to NaN."""
    if not torch.equal(tensor, before) and not (tensor.isnan() & before.isnan() | (tensor == before)).all():
        with torch.no_grad():
            tensor.copy_(before)


def _restore(now: dict[str, Any], before: dict[str, Any]) -> None:
    for key in [key for key in now if key not in before]:
        del now[key]
    for key, value in before.items():
        if now.get(key, now) is not value:
            now[key] = value
