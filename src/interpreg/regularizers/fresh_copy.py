"""A freshly initialised copy of a network: the default critic."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._networks import is_synchronised
from interpreg.bottlenecks.base import Bottleneck

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_NO_COPY = "critic: expected one, because no fresh copy of the encoder can be made: "


def fresh_copy(network: object) -> nn.Module:
    """A copy of ``network`` with the same architecture, new weights, all trainable, in training mode.

    Every submodule that has ``reset_parameters`` (or ``_reset_parameters``) is reset by it. The entries of a parameter
    that is unchanged after that, because its module has no such method, are shuffled instead: what it had learned is
    lost, its scale is kept, and a constant stays constant. The user's hooks are not
    copied, so a hook that counts or logs the encoder's calls ignores the copy's. Bottlenecks in the copy pass codes
    through: no sampling, no quantizing, no noise.

    Args:
        network: an ``nn.Module``. One compiled by ``torch.compile`` gives an uncompiled copy.

    Raises:
        TypeError: not an ``nn.Module``, or one wrapped or sharded for distributed training, whose copy would
            silently train without synchronised gradients.
        ValueError: lazy parameters that have no shape yet, or a module that cannot be copied or reset.

    >>> encoder = nn.Sequential(nn.Linear(4, 2))
    >>> critic = fresh_copy(encoder)
    >>> critic[0].weight.shape == encoder[0].weight.shape
    True
    """
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"{_NO_COPY}it is not an nn.Module but {_checks.describe(network)}; give critic=fresh_copy(module), of the "
            "module that it calls"
        )
    if is_synchronised(network):
        raise TypeError(
            f"{_NO_COPY}it is wrapped in DistributedDataParallel, or contains what is; "
            "give the critic as DistributedDataParallel(fresh_copy(encoder)), copied before the encoder is wrapped"
        )
    _checks.check_unsharded(
        "encoder", network, "make the critic, fresh_copy(encoder), before sharding the encoder"
    )
    network = getattr(network, "_orig_mod", network)  # what torch.compile wrapped
    assert isinstance(network, nn.Module)
    lazy = [n for n, p in network.named_parameters() if isinstance(p, nn.parameter.UninitializedParameter)]
    if lazy:
        raise ValueError(f"{_NO_COPY}{lazy[0]!r} has no shape yet; run one batch through the encoder first")
    # What a forward pass left on a module (old-style weight_norm's weight, a kept activation) has a graph, and
    # torch copies no such tensor; the copy gets its value.
    kept = [t for m in network.modules() for t in vars(m).values() if isinstance(t, Tensor) and not t.is_leaf]
    try:
        fresh = copy.deepcopy(network, {id(t): t.detach().clone() for t in kept})
    except Exception as error:
        raise ValueError(f"{_NO_COPY}copying it failed with {type(error).__name__}: {error}") from error
    for module in list(fresh.modules()):
        if isinstance(module, Bottleneck):
            module.make_passthrough()
    before = {name: p.detach().clone() for name, p in fresh.named_parameters()}
    for module in fresh.modules():
        _drop_hooks(module)
        reset = _reset_of(module)
        if reset is not None:
            try:
                reset()
            except Exception as error:
                kind = type(module).__name__
                raise ValueError(
                    f"{_NO_COPY}resetting its {kind} failed with {type(error).__name__}: {error}"
                ) from error
            for p in module.parameters(recurse=False):
                p.requires_grad_(True)
    with torch.no_grad():
        for name, p in fresh.named_parameters():
            if p.requires_grad and not p.is_meta and torch.equal(p, before[name]):
                p.copy_(_shuffled(p))
    if not any(p.requires_grad for p in fresh.parameters()):
        raise ValueError(f"{_NO_COPY}it has no parameters to train")
    return fresh.train()


def _reset_of(module: nn.Module) -> Callable[[], None] | None:
    for method in ("reset_parameters", "_reset_parameters"):
        reset = getattr(module, method, None)
        if callable(reset):
            return reset  # type: ignore[no-any-return]  # nn.Module's attributes are untyped
    return None


def _shuffled(p: Tensor) -> Tensor:
    return p.flatten()[torch.randperm(p.numel(), device=p.device)].view_as(p)


def _drop_hooks(module: nn.Module) -> None:
    """Drop the user's hooks; torch's own (weight_norm, spectral_norm) are part of the architecture."""
    for kind in _HOOKS:
        hooks = getattr(module, kind)
        for key in [k for k, hook in hooks.items() if not _is_torchs(hook)]:
            del hooks[key]


def _is_torchs(hook: object) -> bool:
    return type(hook).__module__.startswith("torch.nn.")
