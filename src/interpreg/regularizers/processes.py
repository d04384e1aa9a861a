"""Several processes: networks of which some, but not all, are synchronised."""

import gc
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from interpreg import _checks
from interpreg._networks import (
    IN_PLACE,
    SYNCHRONISING,
    is_any_of,
    is_sharded,
    is_synchronised,
    submodules_of,
    unsynchronised,
)
from interpreg._warnings import warn
from interpreg.mmd.distributed import world_size


def check_critic_is_synchronised(critic: nn.Module, encoder: object, decoder: object) -> None:
    """``TypeError`` if the encoder or decoder is synchronised over processes, and trained parameters of the critic not.

    Its copies on the processes would diverge from the first step on.
    """
    check_not_replicated(critic)
    for role, network in (("encoder", encoder), ("decoder", decoder)):
        if (is_synchronised(network) or is_sharded(network)) and unsynchronised(critic):
            raise TypeError(
                f"critic: expected one in DistributedDataParallel, as the {role} is synchronised over processes, got "
                f"{_checks.describe(critic)}, which each process would train alone; "
                "give critic=DistributedDataParallel(critic)"
            )


def check_not_replicated(critic: nn.Module) -> None:
    """``TypeError`` if a critic was given to ``torch.distributed._composable.replicate``.

    That takes the parameters of its first call for those to synchronise, and these are detached: the critic's copies on
    the processes would diverge.
    """
    if any(is_any_of({("torch", "DDP")}, module) for module in critic.modules()):
        raise TypeError(
            f"critic: expected one in DistributedDataParallel, got {_checks.describe(critic)} given to replicate(), "
            "which would not synchronise it; give critic=DistributedDataParallel(critic), or replicate(reg)"
        )


def check_graph_may_change(name: str, *networks: object) -> None:
    """``ValueError`` if a network was promised to have the same graph at every step, which a schedule changes.

    Its gradients would not be synchronised from the change on, silently.
    """
    modules = [module for network in networks for module in submodules_of(network)]
    if any(isinstance(module, DistributedDataParallel) and module.static_graph for module in modules):
        raise ValueError(
            f"{name}: expected no schedule beside DistributedDataParallel(static_graph=True), because parameters get "
            "gradients at some steps only, got one; leave static_graph out"
        )


def warn_unsynchronised(
    encoder: object,
    decoder: object,
    own: nn.Module,
    critics: Iterable[nn.Module],
    z: Tensor | None,
    x_hat: Tensor | None,
) -> None:
    """A warning if there are several processes, and networks whose gradients are not synchronised over them.

    Args:
        encoder, decoder: of a regularizer.
        own: the regularizer, whose parameters are those of its critics.
        critics: its critic networks.
        z, x_hat: the codes and reconstructions that the loop gave, if any. The loop may have made them by a wrapper
            around the same parameters.
    """
    world = world_size()
    if world == 1:
        return
    for critic in critics:
        check_not_replicated(critic)
    roles = {"encoder": (encoder, z), "decoder": (decoder, x_hat), "critic": (own, None)}
    bare = {role: ps for role, (network, _) in roles.items() if (ps := unsynchronised(network))}
    alone = [role for role, ps in bare.items() if not _are_in_wrappers(ps, called=roles[role][1] is not None)]
    if alone:
        names = " and ".join(alone)
        warn(
            f"several processes: {world} of them train the {names}, and nothing synchronises the gradients, so each "
            "process trains other networks. Wrap each network before the regularizer is made, and give it the wrapped "
            f"one: {alone[0]} = DistributedDataParallel({alone[0]}), or what accelerator.prepare returns. Where the "
            "loop averages gradients itself: warnings.filterwarnings('ignore', 'several processes')"
        )


def _are_in_wrappers(parameters: Iterable[nn.Parameter], called: bool) -> bool:
    """Whether all are parameters of wrappers somewhere, which matter if the loop called them or they act in place."""
    kinds = SYNCHRONISING if called else IN_PLACE
    wrappers = [each for each in gc.get_objects() if issubclass(type(each), nn.Module) and is_any_of(kinds, each)]
    wrapped = {id(p) for wrapper in wrappers for p in wrapper.parameters()}
    return all(id(p) in wrapped for p in parameters)


def is_equal_across_processes(tensors: Iterable[Tensor]) -> bool:
    """Whether tensors have the same values on all processes, bit for bit.

    Every process must call it with as many tensors: those that do wait for the others, and for the device.
    """
    sums = [_fingerprint(tensor) for tensor in tensors]
    if world_size() == 1 or not sums:
        return True
    extremes = torch.stack([each.to(sums[0].device) for own in sums for each in (own, -own)])
    distributed.all_reduce(extremes, op=distributed.ReduceOp.MAX)
    highest, negated_lowest = extremes.view(-1, 2).T
    return bool((highest == -negated_lowest).all())


def _fingerprint(tensor: Tensor) -> Tensor:
    """The bytes of a tensor, each times an odd number that changes with its position, summed modulo 2^64."""
    bits = tensor.detach().reshape(-1).contiguous().view(torch.uint8).long()
    odd = torch.arange(len(bits), device=bits.device) * 0x1E3779B97F4A7C15 | 1
    return (bits * odd).sum()
