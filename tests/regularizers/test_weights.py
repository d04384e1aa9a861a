"""Weights: attributes that a schedule may change, and the adaptive one of the adversarial terms."""

import math

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from zoo import Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, Adaptive, Critic, MIDRAERegularizer, MMDPrior, Ramp, Reconstruction
from interpreg.functional import adaptive_weight

NAMES = ("weight", "noise_weight", "prior_weight")


def test_a_schedule_may_change_every_weight(pair: Zoo) -> None:
    reg = Reconstruction(pair.encoder, pair.decoder) + Critic(pair.encoder, pair.decoder, judge="mean")
    critic = reg.parts["critic"]
    for weight in (0.25, torch.tensor(0.75)):
        critic.weight, critic.critic_weight = weight, 2 * weight
        reg.parts["reconstruction"].weight = 3 * weight
        losses = reg(pair.x)
        for name, times in [("interpolation", 1), ("critic/real", 2), ("reconstruction", 3)]:
            torch.testing.assert_close(losses[name].detach(), times * weight * reg.unweighted[name])
            assert float(reg.weights[name]) == float(times * weight)


def test_a_tensor_as_weight_does_not_compile_again() -> None:
    encoder, decoder, x = vector_pair()
    reg = MMDPrior(encoder, decoder)
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    reg.weight = torch.tensor(0.0)
    compiled = torch.compile(reg, fullgraph=True, backend=count)
    losses = []
    for step in range(4):
        reg.weight.fill_(step)
        losses.append(compiled(x)["mmd"].item())
    assert len(graphs) == 1
    assert losses == pytest.approx([step * losses[1] for step in range(4)])


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, "1", True, None])
def test_a_bad_weight_is_refused_when_it_is_assigned(pair: Zoo, bad: object) -> None:
    reg = MIDRAERegularizer(pair.encoder, pair.decoder)
    with pytest.raises((TypeError, ValueError), match=r"noise_weight: expected a (finite )?number"):
        reg.game.noise_weight = bad
    assert reg.game.noise_weight == 0.5


def test_a_tensor_of_weights_is_refused(pair: Zoo) -> None:
    reg = Reconstruction(pair.encoder, pair.decoder)
    for bad in (torch.ones(2), torch.tensor(1)):
        with pytest.raises(ValueError, match=r"weight: expected a number or a 0-dim tensor, got a torch"):
            reg.weight = bad


def test_adaptive_weight_is_the_ratio_of_gradients() -> None:
    """Of two quadratics, whose gradients are known."""
    at = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    reference, adversarial = at.square().sum(), 0.5 * at.sum()  # gradients (6, 8) and (1/2, 1/2)
    expected = 10 / (math.sqrt(0.5) + 1e-4)
    assert adaptive_weight(reference, adversarial, at).item() == pytest.approx(expected, rel=1e-12)
    assert not adaptive_weight(reference, adversarial, at).requires_grad
    assert adaptive_weight(1e9 * reference, adversarial, at) == 1e4
    assert adaptive_weight(reference, 0 * adversarial, at) == 1e4


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


def test_adaptive_wants_a_layer() -> None:
    encoder, decoder, _ = vector_pair()

    def functional_decoder(z: Tensor) -> Tensor:
        return decoder(z)

    for bad in (functional_decoder, nn.Identity()):
        with pytest.raises(TypeError, match=r"at: expected a decoder with a trained layer, or the parameter"):
            Critic(encoder, bad, weight=Adaptive())
    with pytest.raises(TypeError, match=r"at: expected a parameter, got 'last'"):
        Adaptive(0.5, at="last")


def test_the_decoders_layer_does_not_become_the_regularizers() -> None:
    encoder, decoder, _ = vector_pair()
    reg = Critic(encoder, decoder, weight=Adaptive(at=decoder[2].weight))
    assert id(decoder[2].weight) not in {id(p) for p in reg.parameters()}


def test_every_kind_of_a_dual_critic_is_adaptive() -> None:
    encoder, decoder, x = vector_pair()
    reg = MIDRAERegularizer(encoder, decoder, **dict.fromkeys(NAMES, Adaptive()))
    reg(x)
    assert all(isinstance(reg.weights[name], Tensor) for name in ("interpolation", "noise", "prior"))
