"""Whether optimizers hold all parameters that train."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from interpreg import _checks
from interpreg._networks import modules_of, parameters_of
from interpreg._types import Network

_FROZEN = "or requires_grad_(False), if they are not to train"


def check_optimizers(
    reg: nn.Module, encoder: Network, decoder: Network, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Raise ``ValueError`` unless the optimizers together hold the parameters of all three that train."""
    for optimizer in optimizers:
        if not isinstance(getattr(optimizer, "param_groups", None), list):
            raise TypeError(
                f"optimizers: expected optimizers, one after another, got {_checks.describe(optimizer)}; "
                "reg.check_optimizers(first, second)"
            )
    held = {id(p): p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    missing = [name for name, p in reg.named_parameters() if p.requires_grad and id(p) not in held]
    if missing:
        raise ValueError(
            f"optimizers: expected every parameter of {type(reg).__name__}, but {len(missing)} are in none "
            f"of them and would never train, such as {missing[0]!r}; add *reg.parameters()"
        )
    ours = {id(p) for network in (reg, encoder, decoder) for p in parameters_of(network)}
    strangers = [p for key, p in held.items() if key not in ours]
    for role, network in (("encoder", encoder), ("decoder", decoder)):
        named = {name: p for module in modules_of(network) for name, p in module.named_parameters()}
        left_out = {name: p for name, p in named.items() if p.requires_grad and id(p) not in held}
        if not left_out:
            continue
        about = f"but {len(left_out)} are in none of them and would never train, such as {next(iter(left_out))!r}"
        if any(id(p) in held for p in named.values()):
            raise ValueError(
                f"optimizers: expected every parameter of the {role}, {about}; make the optimizer after the whole "
                f"{role}, its bottleneck and heads included, {_FROZEN}"
            )
        if not _shapes(left_out.values()) - _shapes(strangers):
            raise ValueError(
                f"optimizers: expected the parameters of the {role} that the regularizer was made with, {about}, and "
                f"others of the same shapes, of a copy, are held instead; make the optimizer with that {role}'s"
            )


def _shapes(parameters: Iterable[torch.Tensor]) -> Counter[torch.Size]:
    return Counter(p.shape for p in parameters)
