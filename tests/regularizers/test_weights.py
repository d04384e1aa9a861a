"""Weights: attributes that a schedule may change, and the adaptive one of the adversarial terms."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from interpreg import (
    ACAIRegularizer,
    Adaptive,
    Critic,
    MIDRAERegularizer,
    MMDPrior,
    Ramp,
    Reconstruction,
    Regularizer,
    Term,
    Weight,
)
from interpreg.regularizers.weights import scaled


def test_a_schedule_may_change_every_weight(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder) + Critic(encoder, decoder, judge="mean")
    critic = reg.parts["critic"]
    for weight in (0.25, torch.tensor(0.75)):
        critic.weight, critic.critic_weight = weight, 2 * weight
        reg.parts["reconstruction"].weight = 3 * weight
        losses = reg(x)
        for name, times in [("interpolation", 1), ("critic/real", 2), ("reconstruction", 3)]:
            torch.testing.assert_close(losses[name].detach(), times * weight * reg.unweighted[name])
            assert float(reg.weights[name]) == float(times * weight)


def test_a_tensor_as_weight_does_not_compile_again(encoder, decoder, x) -> None:
    reg = MMDPrior(encoder, decoder)
    counter = CompileCounter()
    reg.weight = torch.tensor(0.0)
    compiled = torch.compile(reg, fullgraph=True, backend=counter)
    losses = []
    for step in range(4):
        reg.weight.fill_(step)
        losses.append(compiled(x)["mmd"].item())
    assert (counter.frame_count, losses) == (1, pytest.approx([step * losses[1] for step in range(4)]))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, "1", True, None])
def test_a_bad_weight_is_refused_when_it_is_assigned(encoder, decoder, bad: object) -> None:
    reg = MIDRAERegularizer(encoder, decoder)
    with pytest.raises((TypeError, ValueError), match=r"noise_weight: expected a (finite )?number"):
        reg.game.noise_weight = bad
    assert reg.game.noise_weight == 0.5


def test_a_tensor_of_weights_is_refused(encoder, decoder) -> None:
    reg = Reconstruction(encoder, decoder)
    for bad in (torch.ones(2), torch.tensor(1)):
        with pytest.raises(ValueError, match=r"weight: expected a number or a 0-dim tensor, got a torch"):
            reg.weight = bad


def test_adaptive_wants_a_layer(encoder, decoder) -> None:
    def functional_decoder(z: Tensor) -> Tensor:
        return decoder(z)

    for bad in (functional_decoder, nn.Identity()):
        with pytest.raises(TypeError, match=r"at: expected a decoder with a trained layer, or the parameter"):
            Critic(encoder, bad, weight=Adaptive())
    with pytest.raises(TypeError, match=r"at: expected a parameter, got 'last'"):
        Adaptive(0.5, at="last")


def test_the_decoders_layer_does_not_become_the_regularizers(encoder, decoder) -> None:
    reg = Critic(encoder, decoder, weight=Adaptive(at=decoder[2].weight))
    assert id(decoder[2].weight) not in {id(p) for p in reg.parameters()}


def test_schedules_are_separate_and_counted_in_a_buffer(encoder, decoder, x) -> None:
    critic = Critic(encoder, decoder, weight=Ramp(2.0, start=4, over=4), critic_weight=Ramp(1.0, start=2))
    own, critics = [], []
    for _ in range(10):
        losses = critic(x)
        for name, weights in (("interpolation", own), ("critic/real", critics)):
            weights.append(float(critic.weights[name]))
            torch.testing.assert_close(losses[name].detach(), critic.unweighted[name] * weights[-1])
    assert (own, critics) == (pytest.approx([0, 0, 0, 0, 0, 0.5, 1, 1.5, 2, 2]), [0, 0] + [1] * 8)
    assert critic.state_dict()["step"] == 10


def test_numpys_numbers_are_numbers(encoder, decoder) -> None:
    reg = ACAIRegularizer(encoder, decoder, weight=np.float32(0.5), gamma=np.float64(0.25))
    assert (reg.game.weight, reg.game.gamma) == (0.5, 0.25)
    assert Ramp(1.0, start=np.int64(3)).first == 3


@pytest.mark.parametrize("field", ["start", "over"])
def test_a_ramp_of_negative_length_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}: expected an int of at least 0, got -1"):
        Ramp(1.0, **{field: -1})
    with pytest.raises(TypeError, match=rf"{field}: expected an int, got 1.5"):
        Ramp(1.0, **{field: 1.5})
    with pytest.raises(ValueError, match=r"value: expected a finite number of at least 0, got -1"):
        Ramp(-1)


def test_weights_of_every_kind_are_scaled_with_their_schedule() -> None:
    """As a recipe does that means a sum over a grid where its terms are means."""
    ramp, at = Ramp(2.0, start=1, over=4), torch.ones(2)
    longer = scaled(ramp, 5)
    assert [float(longer.at(torch.tensor(t))) for t in range(6)] == [0, 0, 2.5, 5, 7.5, 10]
    adaptive = scaled(Adaptive(ramp, at), 5)
    assert adaptive.value == longer
    assert adaptive.at is at
    assert scaled(Adaptive(0.5), 5).value == 2.5
    assert scaled(torch.tensor(0.5), 5) == scaled(0.5, 5) == 2.5


class Hasty(Regularizer):
    """A user's term whose constructor takes the steps in an order of its own."""

    name = "hasty"
    weight = Weight()

    def __init__(self, encoder, decoder, order: str) -> None:
        if order == "before":
            self.weight = 1.0
        super().__init__(encoder, decoder)

    def terms(self, batch):
        return {"hasty": Term(batch.z.mean(), self.weight)}


def test_a_weight_too_early_or_never_assigned_or_deleted_is_named(encoder, decoder, x) -> None:
    with pytest.raises(
        ValueError, match=r"weight: expected super\(\).__init__\(encoder, decoder\) before a weight"
    ):
        Hasty(encoder, decoder, "before")
    with pytest.raises(
        ValueError, match=r"weight: expected a value, assigned in the constructor of Hasty, got none"
    ):
        Hasty(encoder, decoder, "never")(x)
    reg = Critic(encoder, decoder)
    for name in ("weight", "encoder", "interpolator", "gamma"):
        with pytest.raises(AttributeError, match=rf"{name}: expected no deletion from Critic; make"):
            delattr(reg, name)
    reg(x)
