"""Networks that are called with a padding mask as their second argument."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from interpreg import _checks
from interpreg._networks import submodules_of
from interpreg._types import Network

MASKS = {"mask", "masks", "valid", "m"}
"""Words of the name of a second argument that is a mask which is True where valid."""
OTHER_MASKS = {
    "pad", "padding", "padded", "attn", "src", "tgt", "key", "memory", "causal", "head", "masked", "loss", "ratio",
}  # fmt: skip
"""Words of the names of other masks, as in ``src_mask``, or of those that are True where padded."""
_ATTENTION = "return super().forward({}, {}=~mask)"
_PACKED = (
    "packed = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False); "
    "return pad_packed_sequence(super().forward(packed)[0], batch_first=True, total_length=x.shape[1])[0]"
)
_WRAPS: dict[type[nn.Module], str] = {
    nn.TransformerEncoder: _ATTENTION.format("x", "src_key_padding_mask"),
    nn.TransformerEncoderLayer: _ATTENTION.format("x", "src_key_padding_mask"),
    nn.TransformerDecoder: _ATTENTION.format("x, x", "tgt_key_padding_mask"),
    nn.TransformerDecoderLayer: _ATTENTION.format("x, x", "tgt_key_padding_mask"),
    nn.MultiheadAttention: _ATTENTION.format("x, x, x", "key_padding_mask") + "[0]",
    nn.RNNBase: _PACKED,
}
_known: "WeakSet[Any]" = WeakSet()  # networks that passed
_watched: "WeakSet[Any]" = WeakSet()  # those whose layers were watched too


def check_takes_mask(role: str, network: object) -> None:
    """Raise ``TypeError`` if ``network(value, mask)`` would take the mask for something else, or not take it.

    A layer of torch's own takes no padding mask there: ``nn.TransformerEncoder`` would add it to its attention's mask,
    a recurrent layer take it for its state (pytorch/pytorch#120488). Others must call it one. Checked once a network.
    """
    if torch.compiler.is_compiling():
        if isinstance(network, nn.Module) and type(network).__module__.startswith("torch.nn.modules"):
            raise TypeError(_of_torch(role, network))
        return
    key = getattr(network, "__func__", network)  # a bound method is made anew at each access
    if key in _known:
        return
    inner = unwrapped(network)
    if isinstance(inner, nn.Module) and _is_torchs(inner):
        raise TypeError(_of_torch(role, inner))
    fault = _fault(_forward_of(inner))
    if fault:
        raise TypeError(
            f"{role}: expected a network of a value and its padding mask, (x, mask), got {_checks.describe(inner)} "
            f"{fault}; wrap it in a function or module of (x, mask), where the mask is True where valid"
        )
    _known.add(key)


def call_masked(role: str, network: Network, value: Tensor, mask: Tensor) -> Any:
    """``network(value, mask)``; at the first call it is watched whether torch's layers inside get the mask itself.

    Raises:
        TypeError: ``network`` takes no such mask, or hands it to a layer of torch's, as it is.
    """
    check_takes_mask(role, network)
    key = getattr(network, "__func__", network)
    layers = [] if torch.compiler.is_compiling() or key in _watched else submodules_of(network)
    if not layers or any("_orig_mod" in each._modules for each in layers):  # compiled code would be traced anew
        return network(value, mask)

    def watch(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        names = list(inspect.signature(module.forward).parameters)
        given = [*zip(names[1:], args[1:], strict=False), *kwargs.items()]
        name = next((name for name, argument in given if argument is mask), None)
        if name is not None:
            raise TypeError(_of_inner(role, module, name))

    watched = [m for m in layers if _is_torchs(m) and not isinstance(m, torch.jit.ScriptModule)]
    hooks = [each.register_forward_pre_hook(watch, with_kwargs=True) for each in watched]
    try:
        output = network(value, mask)
    finally:
        for hook in hooks:
            hook.remove()
    _watched.add(key)
    return output


def unwrapped(network: object) -> object:
    """The network inside DistributedDataParallel, DataParallel and compiled modules."""
    while True:
        if isinstance(network, (DistributedDataParallel, DataParallel)):
            network = network.module
        elif isinstance(network, nn.Module) and "_orig_mod" in network._modules:
            network = network._modules["_orig_mod"]
        else:
            return network


def _forward_of(network: Any) -> Any:
    """What has the signature of a call."""
    if isinstance(network, partial) and isinstance(network.func, nn.Module):
        return partial(network.func.forward, *network.args, **network.keywords)
    return network.forward if isinstance(network, nn.Module) else network


def _is_torchs(module: nn.Module) -> bool:
    """Whether its forward is that of one of torch's layers."""
    if "forward" in vars(module):
        return False
    owner = next((kind for kind in type(module).__mro__ if "forward" in vars(kind)), nn.Module)
    return owner.__module__.startswith("torch.nn.modules")


def _of_torch(role: str, module: nn.Module) -> str:
    kind, name = type(module), role.capitalize()
    wrap = next((body for base, body in _WRAPS.items() if isinstance(module, base)), "return super().forward(x)")
    known = any(isinstance(module, base) for base in _WRAPS)
    second = list(inspect.signature(kind.forward).parameters)[2:3]
    what = f"whose second argument, {second[0]!r}, is no padding mask" if second else "which takes no mask"
    note = "torch's padding masks are True where padded, ours where valid" if "~mask" in wrap else (
        "padding is at the end there, and no sequence empty" if known else "if it computes every position alone"
    )  # fmt: skip
    return (
        f"{role}: expected a network of a value and its padding mask, (x, mask), got a {kind.__name__}, {what}; wrap "
        f"it ({note}):\n\n    class {name}(nn.{_base(kind).__name__}):\n        def forward(self, x, mask): {wrap}"
    )


def _of_inner(role: str, module: nn.Module, name: str) -> str:
    padding = next((w for base, w in _WRAPS.items() if isinstance(module, base) and "~mask" in w), "")
    argument = padding.partition("~mask")[0].rpartition(" ")[2]
    remedy = f"give {argument}~mask" if argument else "take the padding out of its output instead"
    return (
        f"{role}: expected the mask, which is True where valid, to be given to no layer of torch's, got it as "
        f"{name!r} of the {type(module).__name__} inside, which means something else; {remedy}"
    )


def _base(kind: type[nn.Module]) -> type[nn.Module]:
    """The layer of torch that a class is."""
    return next(each for each in kind.__mro__ if each.__module__.startswith("torch.nn.modules"))


def _fault(call: Callable[..., Any]) -> str:
    """What is wrong with a second positional argument; empty where nothing is, or it has no signature."""
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        return ""
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return "" if any(p.kind is p.VAR_POSITIONAL for p in parameters) else "that takes no mask"
    second = positional[1]
    flag = isinstance(second.default, (bool, int, float, str)) or second.annotation in (bool, int, float, str)
    is_torchs = str(getattr(call, "__module__", "")).startswith(
        "torch.nn.modules"
    )  # a compiled method of one of torch's layers
    words = set(second.name.lower().split("_"))
    is_mask = second.name.startswith("_") or (bool(words & MASKS) and ("non" in words or not words & OTHER_MASKS))
    if flag or is_torchs or not is_mask:
        return f"whose second argument, {second.name!r}, is no mask of valid positions"
    return ""
