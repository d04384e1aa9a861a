"""Checks of gradients: which parameters the losses reach, and how strongly."""

from collections.abc import Iterator

from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from interpreg._networks import is_sharded, modules_of, parameters_of, submodules_of, unsynchronised
from interpreg.bottlenecks.base import Bottleneck
from interpreg.diagnosis.case import Case, some
from interpreg.diagnosis.result import Finding
from interpreg.mmd.distributed import world_size
from interpreg.regularizers.players import CRITIC
from interpreg.regularizers.processes import is_equal_across_processes

RATIO = 1e4  # of the gradients of two terms at the autoencoder
SATISFIED = 1e-8  # a term as small as that has done its work


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
                f"{role}: {some(case, shared)} belong to the autoencoder too, so the critic's losses train it",
                "critic=fresh_copy(encoder)",
            )  # fmt: skip
        if not (own & case.reached(case.critic_terms) or case.is_opaque or _waits(case)):
            why = "has no trained parameter" if not own else "gets no gradient from any loss"
            yield Finding(
                "critic_not_trained", "error", f"{role}: {why}",
                "give critic_weight more than 0" if own else "set requires_grad of its parameters",
            )  # fmt: skip
        elif any(map(case.is_computed, case.critic_terms)) and own and _is_zero(case, own):
            yield Finding(
                "critic_not_trained", "warning",
                f"{role}: the gradient of its losses is exactly 0 on this batch, so it is not trained",
                "a hinge critic that wins by more than its margin rests; else look for dead ReLUs, detach() or a "
                "factor of 0 in it",
            )  # fmt: skip
    leaked = case.reached(case.autoencoder_terms) & case.of_critics
    if leaked:
        yield Finding(
            "critic_not_frozen", "error",
            f"critic: the autoencoder's losses reach {some(case, leaked)}, so both players train the critic",
            "register its parameters: nn.Parameter attributes, nn.ParameterList or submodules",
        )  # fmt: skip
    leaked = case.reached(case.critic_terms) & case.of_autoencoder
    if leaked and not is_shared:
        yield Finding(
            "autoencoder_not_detached", "error",
            f"critic: its losses reach {some(case, leaked)} of the autoencoder",
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
    """Terms whose gradient at the autoencoder is 10,000 times smaller than another's, or 0 behind a critic."""
    norms = {
        name: case.norm(name, case.of_autoencoder) for name in filter(case.is_computed, case.autoencoder_terms)
    }
    sizes = {name: size for name, size in norms.items() if size is not None and size < float("inf")}
    if not sizes:
        return
    largest = max(sizes, key=sizes.__getitem__)
    for name, size in sizes.items():
        is_game = f"{CRITIC}{name}" in case.losses
        if size == 0 and is_game:
            yield Finding(
                "dwarfed_term", "warning",
                f"losses: the gradient of {name!r} at the autoencoder is exactly 0, so it has no say: the critic's "
                "judgement does not depend on its input, or is so sure that its loss is flat",
                "look at the critic: dead ReLUs, a last layer of zeros, logits of 100 and more, a detach()",
            )  # fmt: skip
        elif 0 < size * RATIO < sizes[largest] and (is_game or abs(float(case.unweighted[name])) > SATISFIED):
            yield Finding(
                "dwarfed_term", "warning",
                f"losses: the gradient of {name!r} at the autoencoder is {sizes[largest] / size:.2g} times smaller "
                f"than that of {largest!r}, so it has no say",
                "change one of the two weights; a value that is constant, as the mean of a normalised output, has none",
            )  # fmt: skip


def modes(case: Case) -> Iterator[Finding]:
    """Networks in evaluation mode while the regularizer is in training mode."""
    if not case.reg.training or len(case.x) < 2:  # one sample has no batch statistics
        return
    for role, network in case.roles.items():
        outer = [module for module in modules_of(network) if not module.training]
        layers = [m for module in outer for m in module.modules() if isinstance(m, (_NormBase, _DropoutNd))]
        if layers and case.trained_of(role) and not any(m.training for module in outer for m in module.modules()):
            yield Finding(
                "evaluation_mode", "warning",
                f"{role}: it is in evaluation mode and reg is in training mode, so its {type(layers[0]).__name__} acts "
                "as in a test",
                f"call {role if role in ('encoder', 'decoder') else 'reg'}.train() after each evaluation",
            )  # fmt: skip


def pieces(case: Case) -> Iterator[Finding]:
    """Layers that ran, whose parameters are to be trained, and that are cut off from all losses."""
    if case.is_opaque or not any(map(case.is_computed, case.losses)):
        return
    reached = case.reached(list(case.losses))
    for role in ("encoder", "decoder"):
        if not case.trained_of(role) & reached:
            continue  # network_not_reached
        layers = [m for m in submodules_of(case.roles[role]) if id(m) in case.trace.ran]
        idle = {
            id(m)
            for each in submodules_of(case.roles[role])
            if isinstance(each, Bottleneck)
            for m in each.modules()
        }
        own = [{id(p) for p in m._parameters.values() if p is not None} for m in layers if id(m) not in idle]
        cut = {key for keys in own if not keys & reached for key in keys & case.trained_of(role)}
        if cut:
            yield Finding(
                "network_not_reached", "warning",
                f"{role}: {some(case, cut)} of layers that are called get no gradient from any loss",
                "look for torch.no_grad(), .detach() or .data behind them, or freeze them: requires_grad_(False)",
            )  # fmt: skip


def processes(case: Case) -> Iterator[Finding]:
    """Trained networks that are not synchronised between processes, or differ."""
    if world_size(None) < 2:
        return
    for role, network in case.roles.items():
        trained = [p for p in parameters_of(network) if p.requires_grad]
        if not trained or is_sharded(network):
            continue
        if unsynchronised(network):
            yield Finding(
                "not_synchronised", "error",
                f"{role}: one of {world_size(None)} processes, and no DistributedDataParallel around it",
                "wrap it, and hand the wrapped network to the regularizer",
            )  # fmt: skip
        if not is_equal_across_processes(trained):
            yield Finding(
                "processes_differ", "error", f"{role}: its parameters differ between the processes",
                "wrap it in DistributedDataParallel, which makes them equal at the start and keeps them so",
            )  # fmt: skip


def _waits(case: Case) -> bool:
    """Whether a ramp of a regularizer has not begun."""
    return any(part._is_waiting() for part in (case.reg, *case.reg._below))


def _is_zero(case: Case, parameters: set[int]) -> bool:
    """Whether the critics' losses have gradients at these parameters, all exactly 0."""
    norms = [norm for name in case.critic_terms if (norm := case.norm(name, parameters)) is not None]
    return bool(norms) and not any(norms)
