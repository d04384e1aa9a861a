"""What a diagnosis says of optimizers whose steps do not do what is meant."""

import pytest
import torch
from torch import nn

from interpreg import ACAIRegularizer, Regularizer, diagnose


def trained(reg: Regularizer) -> list[nn.Parameter]:
    return [*reg.encoder.parameters(), *reg.decoder.parameters(), *reg.parameters()]


@pytest.mark.fault(
    "Critics",
    "An optimizer at learning rate 0, with `maximize=True`, beside another of the same parameters, or of frozen ones.",
    now="`diagnose`: `optimizer_stands_still`, `optimizer_maximises`, `optimizer_holds_twice`, "
    "`optimizer_holds_frozen`",
)  # fmt: skip
def test_steps_that_do_not_do_what_is_meant(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    everything = torch.optim.Adam(trained(reg))
    assert diagnose(reg, x, everything).kinds == ()
    groups = [{"params": [*encoder.parameters(), *decoder.parameters()]}, {"params": reg.parameters(), "lr": 0.0}]
    (still,) = diagnose(reg, x, torch.optim.Adam(groups))
    assert (still.kind, "4 parameters (critic.1.bias" in still.message) == ("optimizer_stands_still", True)
    (away,) = diagnose(reg, x, torch.optim.SGD(trained(reg), 0.1, maximize=True))
    assert (away.kind, away.severity) == ("optimizer_maximises", "error")
    (twice,) = diagnose(reg, x, everything, torch.optim.SGD(reg.parameters(), 0.1))
    assert (twice.kind, "are in more than one of them" in twice.message) == ("optimizer_holds_twice", True)
    encoder.requires_grad_(False)
    (frozen,) = diagnose(reg, x, everything)
    assert (frozen.kind, "4 parameters of the encoder" in frozen.message) == ("optimizer_holds_frozen", True)
    encoder[1].requires_grad_(True)  # a part is fine-tuned
    assert diagnose(reg, x, everything).kinds == ()


def test_a_warm_up_that_begins_at_0_is_left_alone(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    optimizer = torch.optim.SGD(trained(reg), 0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
    assert optimizer.param_groups[0]["lr"] == 0
    assert diagnose(reg, x, optimizer).kinds == ()
