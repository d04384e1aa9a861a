"""Checks of gradients: which parameters the losses reach, and which optimizers hold."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, distributed, nn

from interpreg._networks import is_sharded, is_synchronised, parameters_of
from interpreg.diagnosis.case import Case
from interpreg.diagnosis.result import Finding
from interpreg.mmd.distributed import world_size

RATIO = 1e4  # of the gradients of two terms at the autoencoder
SHOWN = 3  # names in a message


def frozen_critics(case: Case) -> Iterator[Finding]:
    """Critics that no loss trains, that the autoencoder's losses train too, or that share with it."""
    is_shared = False
    for role, part in case.critics.items():
        own = case.trained_of(role)
        shared = {id(p) for p in parameters_of(part.network)} & case.of_autoencoder
        if shared:
            is_shared = True
            yield Finding(
                "shared_parameters", "error",
                f"{role}: {_some(case, shared)} belong to the autoencoder too, so the critic's losses train it",
                "critic=fresh_copy(encoder)",
            )  # fmt: skip
        if not (own & case.reached(case.critic_terms) or case.is_opaque or _waits(case)):
            why = "has no trained parameter" if not own else "gets no gradient from any loss"
            yield Finding(
                "critic_not_trained", "error", f"{role}: {why}",
                "give critic_weight more than 0" if own else "set requires_grad of its parameters",
            )  # fmt: skip
    leaked = case.reached(case.autoencoder_terms) & case.of_critics
    if leaked:
        yield Finding(
            "critic_not_frozen", "error",
            f"critic: the autoencoder's losses reach {_some(case, leaked)}, so both players train the critic",
            "register its parameters: nn.Parameter attributes, nn.ParameterList or submodules",
        )  # fmt: skip
    leaked = case.reached(case.critic_terms) & case.of_autoencoder
    if leaked and not is_shared:
        yield Finding(
            "autoencoder_not_detached", "error",
            f"critic: its losses reach {_some(case, leaked)} of the autoencoder",
            "call the network through call_detached in the critic's terms",
        )  # fmt: skip


def reached_networks(case: Case) -> Iterator[Finding]:
    """A network with trained parameters whose outputs the losses use and which gets no gradient."""
    if case.is_opaque:
        return
    reached = case.reached(case.autoencoder_terms)
    used = {"encoder": case.batch.known_z is not None, "decoder": case.trace.calls["decoder"] > 0}
    for role in ("encoder", "decoder"):
        trained = case.trained_of(role)
        if used[role] and trained and not trained & reached and any(map(case.is_computed, case.autoencoder_terms)):
            yield Finding(
                "network_not_reached", "error",
                f"{role}: it is called and has {len(trained)} trained parameters, and no loss has a gradient at them",
                "look for torch.no_grad(), .detach() or .data in its forward",
            )  # fmt: skip


def terms(case: Case) -> Iterator[Finding]:
    """Terms that are weighted and have no gradient at their player's parameters."""
    for name in filter(case.is_computed, case.losses):
        player = case.of_critics if name in case.critic_terms else case.of_autoencoder
        if player and not (player & case.reached([name]) or case.is_opaque):
            yield Finding(
                "term_without_gradient", "error",
                f"losses: {name!r} has weight {float(case.weights[name]):.3g} and no gradient at any trained parameter",
                "look for .detach(), .item() or an operation without a gradient in its value",
            )  # fmt: skip


def dwarfed(case: Case) -> Iterator[Finding]:
    """Terms whose gradient at the autoencoder is 10,000 times smaller than another's."""
    norms = {
        name: case.norm(name, case.of_autoencoder) for name in filter(case.is_computed, case.autoencoder_terms)
    }
    sizes = {name: size for name, size in norms.items() if size and size < float("inf")}
    if not sizes:
        return
    largest = max(sizes, key=sizes.__getitem__)
    for name, size in sizes.items():
        if size * RATIO < sizes[largest]:
            yield Finding(
                "dwarfed_term", "warning",
                f"losses: the gradient of {name!r} at the autoencoder is {sizes[largest] / size:.2g} times smaller "
                f"than that of {largest!r}, so it has no say",
                "change one of the two weights; a value that is constant, as the mean of a normalised output, has none",
            )  # fmt: skip


def optimizers(case: Case) -> Iterator[Finding]:
    """Parameters that losses train and no optimizer holds, and the reverse."""
    if not case.optimizers:
        return
    held = {id(p): p for o in case.optimizers for group in o.param_groups for p in group["params"]}
    wanted = {id(leaf): leaf for name in case.losses for leaf in case.leaves[name]}
    wanted = {key: leaf for key, leaf in wanted.items() if isinstance(leaf, nn.Parameter)}
    wanted |= {id(p): p for p in case.reg.parameters() if p.requires_grad}
    missing = {key for key in wanted if key not in held}
    if missing:
        yield Finding(
            "optimizer_misses", "error",
            f"optimizer: {_some(case, missing, wanted.values())} would be trained and {_are(missing)} in no optimizer",
            "make it of [*encoder.parameters(), *decoder.parameters(), *reg.parameters()], after they have their "
            "final form",
        )  # fmt: skip
    foreign = {key for key in held if key not in wanted and key not in case.names}
    foreign -= {id(p) for network in case.roles.values() for p in parameters_of(network)}
    if foreign:
        shapes = ", ".join(str(tuple(held[key].shape)) for key in list(foreign)[:SHOWN])
        yield Finding(
            "optimizer_holds_others", "warning",
            f"optimizer: {len(foreign)} of its parameters, such as of shape {shapes}, belong to none of the networks",
            "make the optimizer anew if they are of a copy or an earlier network; nothing if other losses train them",
        )  # fmt: skip


def processes(case: Case) -> Iterator[Finding]:
    """Trained networks that are not synchronised between processes, or differ."""
    if world_size(None) < 2:
        return
    for role, network in case.roles.items():
        trained = [p for p in parameters_of(network) if p.requires_grad]
        if not trained or is_sharded(network):
            continue
        if not is_synchronised(network):
            yield Finding(
                "not_synchronised", "error",
                f"{role}: one of {world_size(None)} processes, and no DistributedDataParallel around it",
                "wrap it, and hand the wrapped network to the regularizer",
            )  # fmt: skip
        sums = torch.stack([f(p.detach().double()) for f in (torch.sum, torch.norm) for p in trained])
        everywhere = [torch.empty_like(sums) for _ in range(world_size(None))]
        distributed.all_gather(everywhere, sums)
        if not all(torch.equal(each, everywhere[0]) for each in everywhere):
            yield Finding(
                "processes_differ", "error", f"{role}: its parameters differ between the processes",
                "wrap it in DistributedDataParallel, which makes them equal at the start and keeps them so",
            )  # fmt: skip


def _waits(case: Case) -> bool:
    """Whether a ramp of a regularizer has not begun."""
    return any(part._is_waiting() for part in (case.reg, *case.reg._below))


def _some(case: Case, keys: set[int], tensors: Iterable[Tensor] = ()) -> str:
    """Parameters by their number and the names of the first."""
    names = sorted(case.names[key] for key in keys if key in case.names)
    names += [
        f"one of shape {tuple(t.shape)} that is in no module" for t in tensors if id(t) in keys - set(case.names)
    ]
    if not names:
        names = ["tensors that are in no module"]
    count = f"{len(keys)} parameter{'s' * (len(keys) > 1)}"
    return f"{count} ({', '.join(names[:SHOWN])}{', ...' * (len(names) > SHOWN)})"


def _are(keys: set[int]) -> str:
    return "are" if len(keys) > 1 else "is"
