"""The modules behind a callable, and the leaves that a loss depends on."""

import dis
from collections.abc import Iterable, Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

DEPTH = 3  # functions that call functions


def modules_of(network: object) -> list[nn.Module]:
    """The modules that a callable calls: itself, or those that it is a method of or refers to.

    A bound method refers to its object; a function to its closure, its defaults and the globals that it names; a
    ``functools.partial`` to its function and arguments; another object to its attributes.

    >>> autoencoder = nn.Sequential(nn.Linear(4, 2))
    >>> modules_of(lambda x: autoencoder(x)) == [autoencoder]
    True
    """
    return list({id(module): module for module in _behind(network, DEPTH)}.values())


def submodules_of(network: object) -> list[nn.Module]:
    """All modules inside those behind a callable, each once."""
    return list({id(m): m for module in modules_of(network) for m in module.modules()}.values())


def parameters_of(network: object) -> list[nn.Parameter]:
    """The parameters of the modules behind a callable, each once."""
    return list({id(p): p for module in modules_of(network) for p in module.parameters()}.values())


def is_synchronised(network: object) -> bool:
    """Whether DistributedDataParallel is or is inside it, whatever is around that."""
    return any(isinstance(module, DistributedDataParallel) for module in submodules_of(network))


def is_sharded(network: object) -> bool:
    """Whether a parameter is sharded over processes, as by ``fully_shard``."""
    # by name, because importing the class takes a second
    return any(type(p).__name__ == "DTensor" for p in parameters_of(network))


def leaves_of(values: Iterable[Tensor]) -> list[Tensor]:
    """The leaf tensors, parameters among them, for which a backward of the values would compute gradients."""
    leaves: dict[int, Tensor] = {}
    seen: set[object] = set()
    nodes: list[object] = []
    for value in values:
        if value.grad_fn is not None:
            nodes.append(value.grad_fn)
        elif value.requires_grad:
            leaves[id(value)] = value
    while nodes:
        node = nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)  # of AccumulateGrad
        if isinstance(leaf, Tensor):
            leaves[id(leaf)] = leaf
        nodes += [behind for behind, _ in getattr(node, "next_functions", ()) if behind is not None]
    return list(leaves.values())


def _behind(network: object, depth: int) -> list[nn.Module]:
    if isinstance(network, nn.Module):
        return [network]
    if depth == 0 or isinstance(network, (type, Tensor, torch.Generator)):
        return []
    if isinstance(network, MethodType):
        return [*_behind(network.__self__, depth), *_behind(network.__func__, depth - 1)]
    if isinstance(network, partial):
        return [
            m for each in (network.func, *network.args, *network.keywords.values()) for m in _behind(each, depth)
        ]
    if isinstance(network, FunctionType):
        return [m for each in _references(network) for m in _behind(each, depth - 1)]
    attributes = vars(network).values() if hasattr(network, "__dict__") and not _is_package(network) else ()
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


def _is_package(value: object) -> bool:
    return type(value).__name__ == "module"
