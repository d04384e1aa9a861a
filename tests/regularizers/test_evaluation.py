"""From terms to losses: values times weights, and ratios of gradients where weights are adaptive."""

import math

import pytest
import torch
from calls import calls
from torch import Tensor
from zoo import Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, Adaptive, Batch, MIDRAERegularizer, Ramp, Regularizer, Term

NAMES = ("weight", "noise_weight", "prior_weight")


@pytest.mark.parametrize("given", [False, True])
def test_an_adaptive_critic_pulls_as_hard_as_the_reconstruction(given: bool) -> None:
    encoder, decoder, x = convolutional_pair()
    last = decoder[-1].weight
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5, last if given else None))
    losses = reg(x)
    names = ("reconstruction", "interpolation")
    pull, push = (torch.autograd.grad(losses[n], last, retain_graph=True)[0].norm() for n in names)
    # the 1e-4 in the denominator, against a gradient that the ratio itself tells
    ratio = reg.weights["interpolation"] / 0.5
    raw = push / reg.weights["interpolation"]
    torch.testing.assert_close((push, ratio), (0.5 * pull * raw / (raw + 1e-4), pull / (raw + 1e-4)))
    assert reg.weights["reconstruction"] == 1.0
    expected = reg.unweighted["interpolation"] * reg.weights["interpolation"]
    torch.testing.assert_close(losses["interpolation"].detach(), expected)


def test_an_adaptive_weight_leaves_gradients_to_backward(encoder, decoder, x) -> None:
    """Measuring leaves no .grad behind, and the ratio is a number to the gradient."""
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5))
    torch.manual_seed(1)
    losses = reg(x)
    assert all(p.grad is None for p in [*encoder.parameters(), *decoder.parameters(), *reg.parameters()])
    gradients = torch.autograd.grad(losses["interpolation"], list(encoder.parameters()))
    fixed = ACAIRegularizer(encoder, decoder, critic=reg.critic, weight=float(reg.weights["interpolation"]))
    torch.manual_seed(1)
    expected = torch.autograd.grad(fixed(x)["interpolation"], list(encoder.parameters()))
    torch.testing.assert_close(gradients, expected)


def test_an_adaptive_weight_has_its_schedule_and_is_plain_without_gradients(encoder, decoder, x) -> None:
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


def test_adaptive_costs_no_further_calls_of_the_networks(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder, weight=Adaptive(0.5))
    made = [calls(module) for module in (encoder, decoder, reg.critic)]
    reg(x)
    assert [len(each) for each in made] == [1, 2, 3]


def test_adaptive_without_a_reconstruction_says_what_to_do(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder, reconstruction=None, weight=Adaptive())
    says = r"weight: expected a reconstruction term .* multiply by interpreg\.functional\.adaptive_weight there"
    with pytest.raises(ValueError, match=says):
        reg(pair.x)


def test_every_kind_of_a_dual_critic_is_adaptive(encoder, decoder, x) -> None:
    reg = MIDRAERegularizer(encoder, decoder, **dict.fromkeys(NAMES, Adaptive()))
    reg(x)
    assert all(isinstance(reg.weights[name], Tensor) for name in ("interpolation", "noise", "prior"))


def test_a_parameter_that_one_of_the_losses_does_not_depend_on_is_named(encoder, decoder, x) -> None:
    elsewhere = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"weight: expected Adaptive\(at=\) a parameter on which .* both depend"):
        ACAIRegularizer(encoder, decoder, weight=Adaptive(at=elsewhere))(x)


def term(value: object, weight: object = 1.0) -> type[Regularizer]:
    """A regularizer whose one term is what is given."""

    class Odd(Regularizer):
        name = "odd"

        def terms(self, batch: Batch) -> dict[str, Term]:
            made = value(batch) if callable(value) else value
            return {"odd": made if isinstance(made, tuple) and not isinstance(made, Term) else Term(made, weight)}

    return Odd


def test_a_value_that_is_a_function_is_computed_only_where_it_counts(pair: Zoo) -> None:
    made: list[int] = []

    def value() -> torch.Tensor:
        made.append(1)
        return torch.ones(())

    kind = term(lambda batch: value, 0.0)
    losses = kind(pair.encoder, pair.decoder)(pair.x)
    assert (losses["odd"].item(), losses["odd"].requires_grad, made) == (0, False, [])
    assert (term(lambda batch: value, 2.0)(pair.encoder, pair.decoder)(pair.x)["odd"].item(), len(made)) == (2, 1)


@pytest.mark.parametrize(("value", "error", "message"), [
    (torch.ones(3), ValueError, r"terms: expected a 0-dim tensor as the value of 'odd', got a torch.float32 te"),
    (1.0, ValueError, r"terms: expected a 0-dim tensor as the value of 'odd', got 1.0"),
    (None, ValueError, r"terms: expected a 0-dim tensor as the value of 'odd', got None"),
    (torch.ones((), dtype=torch.long), ValueError, r"terms: expected a floating point value of 'odd', got a torch.int"),
    (lambda batch: lambda: batch.z.argmax(), ValueError, r"terms: expected a floating point value of 'odd', got"),
    (lambda batch: lambda: batch.z.mean(1), ValueError, r"0-dim tensor as the value of 'odd'"),
    ((torch.ones(()), 1.0), TypeError, r"terms: expected a Term for 'odd', got a tuple of length 2"),
])  # fmt: skip
@pytest.mark.parametrize("summed", [False, True])
def test_what_is_no_loss_is_named(value: object, error: type, message: str, summed: bool) -> None:
    encoder, decoder, x = vector_pair()
    reg = term(value)(encoder, decoder)
    acai = ACAIRegularizer(encoder, decoder)
    with pytest.raises(error, match=message):
        (acai + reg if summed else reg)(x)
    assert acai.game.step == 0  # nothing was counted


def test_a_weight_of_another_shape_or_still_a_ramp_is_refused(pair: Zoo) -> None:
    with pytest.raises(ValueError, match=r"terms: expected a 0-dim weight of 'odd', got a torch.float32 tensor"):
        term(torch.ones(()), torch.ones(2))(pair.encoder, pair.decoder)(pair.x)
    for bad in (math.nan, math.inf, -1.0):
        with pytest.raises(ValueError, match=r"weight of 'odd': expected a finite number of at least 0"):
            term(torch.ones(()), bad)(pair.encoder, pair.decoder)(pair.x)
    for weight in (Ramp(1.0), Adaptive(Ramp(1.0), at=torch.ones(2))):
        with pytest.raises(TypeError, match=r"terms: expected the present weight of 'odd', got a Ramp"):
            term(torch.ones(()), weight)(pair.encoder, pair.decoder)(pair.x)


def test_names_that_are_no_strings_are_refused(pair: Zoo) -> None:
    class Numbered(Regularizer):
        name = "numbered"

        def terms(self, batch):
            return {1: Term(torch.ones(()), 1.0)}

    part = Numbered(pair.encoder, pair.decoder)
    for reg in (part, part + ACAIRegularizer(pair.encoder, pair.decoder)):
        with pytest.raises(TypeError, match=r"terms: expected names as str in Numbered, got 1"):
            reg(pair.x)
