"""The modules behind a callable, and the leaves that a loss depends on."""

import dis
from collections.abc import Container, Iterable, Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

DEPTH = 3  # functions that call functions
# what combines the gradients of several processes, by package and name, because importing the classes takes a second
IN_PLACE = {("torch", "FSDPModule"), ("torch", "DDP"), ("deepspeed", "DeepSpeedEngine")}
"""Those whose parameters are synchronised however they are called; ``DDP`` is that of ``replicate``."""
SYNCHRONISING = {*IN_PLACE, ("torch", "DistributedDataParallel"), ("torch", "FullyShardedDataParallel")}
"""All."""
_SHARDING = {("torch", "FSDPModule"), ("torch", "FullyShardedDataParallel")}


def modules_of(network: object) -> list[nn.Module]:
    """The modules that a callable calls: itself, or those that it is a method of or refers to.

    A bound method refers to its object; a function to its closure, its defaults and the globals that it names; a
    ``functools.partial`` to its function and arguments; a container to its items; another object to its attributes.

    >>> autoencoder = nn.Sequential(nn.Linear(4, 2))
    >>> modules_of(lambda x: autoencoder(x)) == [autoencoder]
    True
    """
    return list({id(module): module for module in _behind(network, DEPTH)}.values())


def submodules_of(network: object) -> list[nn.Module]:
    """All modules inside those behind a callable, each once."""
    return list({id(m): m for module in modules_of(network) for m in module.modules()}.values())


def references_of(network: object) -> list[object]:
    """What a function, or the function of a method or ``partial``, refers to by name; nothing for other objects."""
    function = network.func if isinstance(network, partial) else getattr(network, "__func__", network)
    return _references(function) if isinstance(function, FunctionType) else []


def parameters_of(network: object) -> list[nn.Parameter]:
    """The parameters of the modules behind a callable, each once."""
    return list({id(p): p for module in modules_of(network) for p in module.parameters()}.values())


def is_synchronised(network: object) -> bool:
    """Whether DistributedDataParallel is or is inside it, whatever is around that."""
    return any(isinstance(module, DistributedDataParallel) for module in submodules_of(network))


def is_sharded(network: object) -> bool:
    """Whether a parameter is sharded over processes, as by ``fully_shard`` or ``FullyShardedDataParallel``."""
    is_wrapped = any(is_any_of(_SHARDING, module) for module in submodules_of(network))
    return is_wrapped or any(type(p).__name__ == "DTensor" for p in parameters_of(network))


def unsynchronised(network: object) -> list[nn.Parameter]:
    """The trained parameters whose gradients nothing combines over processes: no wrapper around or inside it."""
    wrappers = [module for module in submodules_of(network) if is_any_of(SYNCHRONISING, module)]
    # whose forward is running, as around Lightning's training_step
    within = getattr(DistributedDataParallel, "_active_ddp_module", None)
    combined = {id(p) for wrapper in [*wrappers, *([within] if within else [])] for p in wrapper.parameters()}
    trained = [p for p in parameters_of(network) if p.requires_grad and id(p) not in combined]
    return [p for p in trained if type(p).__name__ != "DTensor"]


def is_any_of(names: Container[tuple[str, str]], module: object) -> bool:
    """Whether the class of an object, or one that it inherits from, is that of a package and name."""
    return any((kind.__module__.partition(".")[0], kind.__name__) in names for kind in type(module).__mro__)


def leaves_of(values: Iterable[Tensor]) -> list[Tensor]:
    """The leaf tensors, parameters among them, for which a backward of the values would compute gradients."""
    values = list(values)
    leaves = {id(value): value for value in values if value.requires_grad and value.grad_fn is None}
    for node in nodes_of(values):
        leaf = getattr(node, "variable", None)  # of AccumulateGrad
        if isinstance(leaf, Tensor):
            leaves[id(leaf)] = leaf
    return list(leaves.values())


def nodes_of(values: Iterable[Tensor]) -> set[Any]:
    """The autograd nodes that a backward of the values would run."""
    seen: set[Any] = set()
    nodes: list[Any] = [value.grad_fn for value in values if value.grad_fn is not None]
    while nodes:
        node = nodes.pop()
        if node not in seen:
            seen.add(node)
            nodes += [behind for behind, _ in getattr(node, "next_functions", ()) if behind is not None]
    return seen


def _behind(network: object, depth: int) -> list[nn.Module]:
    if isinstance(network, nn.Module):
        return [network]
    if depth == 0 or isinstance(network, (type, ModuleType, Tensor, torch.Generator)):
        return []
    if isinstance(network, MethodType):
        return [*_behind(network.__self__, depth), *_behind(network.__func__, depth - 1)]
    if isinstance(network, partial):
        given = (network.func, *network.args, *network.keywords.values())
        return [module for each in given for module in _behind(each, depth)]
    if isinstance(network, FunctionType):
        return [module for each in _references(network) for module in _behind(each, depth - 1)]
    if isinstance(network, (tuple, list, dict)):
        items = network.values() if isinstance(network, dict) else network
        return [each for each in items if isinstance(each, nn.Module)]
    attributes = vars(network).values() if hasattr(network, "__dict__") else ()
    return [each for each in attributes if isinstance(each, nn.Module)]


def _references(function: FunctionType) -> list[object]:
    """What a function refers to by name; a variable of its closure that has no value yet is left out."""
    cells = [cell for cell in function.__closure__ or () if cell != CellType()]
    names = dict.fromkeys(_global_names(function.__code__))
    named = [function.__globals__[name] for name in names if name in function.__globals__]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [*(cell.cell_contents for cell in cells), *named, *defaults]


def _global_names(code: CodeType) -> Iterator[str]:
    """The globals that code reads; ``inspect.getclosurevars`` takes attributes of their names for them too."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _global_names(inner)
