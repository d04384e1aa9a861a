"""Checks of optimizers: what they hold, and whether their steps train it."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from interpreg._networks import parameters_of
from interpreg.diagnosis.case import SHOWN, Case, some
from interpreg.diagnosis.result import Finding


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
            f"optimizer: {some(case, missing, wanted.values())} would be trained and {_are(missing)} in no optimizer",
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


def steps(case: Case) -> Iterator[Finding]:
    """Optimizers whose steps move nothing, move away from the minimum, or move the same parameters twice."""
    groups = [group for optimizer in case.optimizers for group in optimizer.param_groups]
    still = _keys(case, (g for g in groups if _is_still(g)))
    if still:
        yield Finding(
            "optimizer_stands_still", "warning",
            f"optimizer: the learning rate of {some(case, still)} is 0",
            "set lr; nothing if they are held still on purpose or a scheduler raises it",
        )  # fmt: skip
    away = _keys(case, (g for g in groups if g.get("maximize") or _is_below_zero(g)))
    if away:
        yield Finding(
            "optimizer_maximises", "error",
            f"optimizer: its steps make the losses of {some(case, away)} larger (maximize=True, or a negative lr)",
            "maximize=False, for both players: the critic's losses are minimised, too",
        )  # fmt: skip
    held = [{id(p) for group in optimizer.param_groups for p in group["params"]} for optimizer in case.optimizers]
    twice = {key for i, keys in enumerate(held) for key in keys for other in held[:i] if key in other} & set(
        case.names
    )
    if twice:
        yield Finding(
            "optimizer_holds_twice", "warning",
            f"optimizer: {some(case, twice)} {_are(twice)} in more than one of them, so every step moves them twice",
            "give the critic's optimizer reg.parameters() alone, and the other one those of encoder and decoder",
        )  # fmt: skip
    for role, network in case.roles.items():
        parameters = parameters_of(network)
        if parameters and all(not p.requires_grad and any(id(p) in keys for keys in held) for p in parameters):
            yield Finding(
                "optimizer_holds_frozen", "warning",
                f"optimizer: it holds the {len(parameters)} parameters of the {role}, and none of them requires a "
                "gradient, so they stay as they are",
                f"{role}.requires_grad_(True), or leave them out of the optimizer",
            )  # fmt: skip


def _keys(case: Case, groups: Iterator[dict[str, Any]]) -> set[int]:
    """The trained parameters of some groups, by identity."""
    return {id(p) for group in groups for p in group["params"]} & set(case.names)


def _is_still(group: dict[str, Any]) -> bool:
    """Whether its learning rate is 0, and no scheduler has begun there."""
    return "lr" in group and float(group["lr"]) == 0 and not group.get("initial_lr")


def _is_below_zero(group: dict[str, Any]) -> bool:
    return "lr" in group and float(group["lr"]) < 0


def _are(keys: set[int]) -> str:
    return "are" if len(keys) > 1 else "is"
