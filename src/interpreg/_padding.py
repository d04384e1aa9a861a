"""Networks that are called with a padding mask as their second argument."""

import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from interpreg import _checks

NO_MASKS = {
    "hx", "h0", "h_0", "hidden", "hidden_state", "hidden_states", "state", "states", "initial_state",
    "attn_mask", "attn_bias", "attention_bias", "src_mask", "tgt_mask", "memory", "memory_mask",
    "key_padding_mask", "src_key_padding_mask", "tgt_key_padding_mask", "key", "value", "tgt", "target", "targets",
    "label", "labels", "y", "cond", "condition", "conditioning", "context", "c", "t", "time", "timestep", "timesteps",
    "length", "lengths",
}  # fmt: skip
"""Names of second arguments that mean something else, or a mask that is True where padded."""
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


def check_takes_mask(role: str, network: object) -> None:
    """Raise ``TypeError`` if ``network(value, mask)`` would take the mask for something else, or not take it.

    A layer of torch's own, whatever wraps it, takes no padding mask there: ``nn.TransformerEncoder`` would add it to
    its attention's mask, a recurrent layer take it for its state (pytorch/pytorch#120488). Checked once a network.
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
    call: Any = inner.forward if isinstance(inner, nn.Module) else inner
    fault = _fault(call)
    if fault:
        raise TypeError(
            f"{role}: expected a network of a value and its padding mask, (x, mask), got {_checks.describe(inner)} "
            f"{fault}; wrap it in a function or module of (x, mask), where the mask is True where valid"
        )
    _known.add(key)


def unwrapped(network: object) -> object:
    """The network inside DistributedDataParallel, DataParallel and compiled modules."""
    while True:
        if isinstance(network, (DistributedDataParallel, DataParallel)):
            network = network.module
        elif isinstance(network, nn.Module) and "_orig_mod" in network._modules:
            network = network._modules["_orig_mod"]
        else:
            return network


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
        "its state must not depend on padding" if known else "if it computes every position alone"
    )  # fmt: skip
    return (
        f"{role}: expected a network of a value and its padding mask, (x, mask), got a {kind.__name__}, {what}; wrap "
        f"it ({note}):\n\n    class {name}(nn.{_base(kind).__name__}):\n        def forward(self, x, mask): {wrap}"
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
    if second.name in NO_MASKS or flag:
        return f"whose second argument, {second.name!r}, is no mask of valid positions"
    return ""
