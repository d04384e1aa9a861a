"""From terms to losses: values times weights, and ratios of gradients where weights are adaptive."""

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from zoo import Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, Adaptive, Batch, MIDRAERegularizer, Ramp, Regularizer, Term

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
    for ours, g in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, g)


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


class OneTerm(Regularizer):
    """A regularizer of whatever it is given for a term."""

    name = "one term"

    def __init__(self, term: object) -> None:
        super().__init__(nn.Identity(), nn.Identity())
        self.term = term

    def terms(self, batch: Batch) -> dict[str, Term]:
        return {"a term": self.term}


def test_a_term_is_a_term_and_its_value_a_number() -> None:
    with pytest.raises(TypeError, match=r"terms: expected a Term for 'a term', got 0.5"):
        OneTerm(0.5)(torch.randn(3, 2))
    for value in (torch.ones(3), lambda: torch.ones(3), lambda: 0.5):
        with pytest.raises(ValueError, match="terms: expected a 0-dim tensor as the value of 'a term', got"):
            OneTerm(Term(value, 1.0))(torch.randn(3, 2))


def test_a_value_whose_weight_is_nought_is_never_computed() -> None:
    losses = OneTerm(Term(lambda: pytest.fail("computed"), 0.0))(torch.randn(3, 2))
    assert losses == {"a term": 0}


def test_a_parameter_that_one_of_the_losses_does_not_depend_on_is_named() -> None:
    encoder, decoder, x = vector_pair()
    elsewhere = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"weight: expected Adaptive\(at=\) a parameter on which .* both depend"):
        ACAIRegularizer(encoder, decoder, weight=Adaptive(at=elsewhere))(x)
