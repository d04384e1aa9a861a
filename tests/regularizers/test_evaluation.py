"""From terms to losses: values times weights, and ratios of gradients where weights are adaptive."""

import pytest
import torch
from calls import calls
from torch import Tensor
from zoo import Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, Adaptive, MIDRAERegularizer, Ramp

NAMES = ("weight", "noise_weight", "prior_weight")


@pytest.mark.parametrize("given", [False, True])
def test_an_adaptive_critic_pulls_as_hard_as_the_reconstruction(given: bool) -> None:
    encoder, decoder, x = convolutional_pair()
    last = decoder[-1].weight
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5, last if given else None))
    losses = reg(x)
    pull, push = (
        torch.autograd.grad(losses[n], last, retain_graph=True)[0].norm()
        for n in ("reconstruction", "interpolation")
    )
    # the 1e-4 in the denominator, against a gradient that the ratio itself tells
    ratio = reg.weights["interpolation"] / 0.5
    raw = push / reg.weights["interpolation"]
    torch.testing.assert_close(push, 0.5 * pull * raw / (raw + 1e-4))
    torch.testing.assert_close(ratio, pull / (raw + 1e-4))
    assert reg.weights["reconstruction"] == 1.0
    torch.testing.assert_close(
        losses["interpolation"].detach(), reg.unweighted["interpolation"] * reg.weights["interpolation"]
    )


def test_an_adaptive_weight_leaves_gradients_to_backward() -> None:
    """Measuring leaves no .grad behind, and the ratio is a number to the gradient."""
    encoder, decoder, x = vector_pair()
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5))
    torch.manual_seed(1)
    losses = reg(x)
    assert all(p.grad is None for p in [*encoder.parameters(), *decoder.parameters(), *reg.parameters()])
    gradients = torch.autograd.grad(losses["interpolation"], list(encoder.parameters()))
    fixed = ACAIRegularizer(encoder, decoder, critic=reg.critic, weight=float(reg.weights["interpolation"]))
    torch.manual_seed(1)
    expected = torch.autograd.grad(fixed(x)["interpolation"], list(encoder.parameters()))
    for found, g in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, g)


def test_an_adaptive_weight_has_its_schedule_and_is_plain_without_gradients() -> None:
    encoder, decoder, x = vector_pair()
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(Ramp(0.5, start=2)))
    weights = []
    for _ in range(3):
        reg(x)
        weights.append(float(reg.weights["interpolation"]))
    assert weights[:2] == [0.0, 0.0]
    assert weights[2] > 0
    with torch.no_grad():
        reg(x)
    assert float(reg.weights["interpolation"]) == 0.5


def test_adaptive_costs_no_further_calls_of_the_networks() -> None:
    encoder, decoder, x = vector_pair()
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5))
    made = [calls(module) for module in (encoder, decoder, reg.critic)]
    reg(x)
    assert [len(each) for each in made] == [1, 2, 3]


def test_adaptive_without_a_reconstruction_says_what_to_do(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder, reconstruction=None, weight=Adaptive())
    says = r"weight: expected a reconstruction term .* multiply by interpreg\.functional\.adaptive_weight there"
    with pytest.raises(ValueError, match=says):
        reg(pair.x)


def test_every_kind_of_a_dual_critic_is_adaptive() -> None:
    encoder, decoder, x = vector_pair()
    reg = MIDRAERegularizer(encoder, decoder, **dict.fromkeys(NAMES, Adaptive()))
    reg(x)
    assert all(isinstance(reg.weights[name], Tensor) for name in ("interpolation", "noise", "prior"))
