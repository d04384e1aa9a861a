"""Ramps: what a player costs while its weight is 0, compiled and not, and where counting goes on after a stop."""

import copy

import pytest
import torch
from calls import calls
from torch._dynamo.testing import CompileCounter

from interpreg import ACAIRegularizer, Ramp, Sparsity, Sum


@pytest.mark.fault(
    "Critics",
    "Gradients of zero before the critic's start make an optimizer's moments decay.",
    now="no gradient at all, and nothing is computed",
)
def test_a_player_whose_weight_is_0_costs_nothing_and_its_moments_stay(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder, critic_weight=Ramp(1.0, start=2), weight=Ramp(0.5, start=3))
    judged = calls(reg.critic)
    own, theirs = list(reg.parameters()), [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam([*own, *theirs], lr=1e-3)
    for step in range(5):
        judged.clear()
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        assert len(judged) == (0, 0, 2, 3, 3)[step]
        assert all((p.grad is None) == (step < 2) for p in own)
        assert all(p.grad is not None for p in theirs)
        optimizer.step()
        assert all((p in optimizer.state) == (step >= 2) for p in own)


def test_without_a_reconstruction_the_autoencoder_has_no_gradient_before_its_ramp(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder, reconstruction=None, weight=Ramp(0.5, start=1))
    for step in range(2):
        encoder.zero_grad()
        sum(reg(x).values()).backward()
        assert all((p.grad is None) == (step == 0) for p in encoder.parameters())


@pytest.mark.parametrize("over", [0, 3])
def test_compiled_code_has_one_graph_before_a_ramp_and_one_from_then_on(over: int, encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder, critic_weight=Ramp(1.0, start=3, over=over), generator=None)
    plain = copy.deepcopy(reg)
    counter = CompileCounter()
    compiled = torch.compile(reg, fullgraph=True, backend=counter)
    for step in range(8):
        reg.zero_grad()
        torch.manual_seed(step)
        losses = compiled(x)
        torch.manual_seed(step)
        torch.testing.assert_close(losses, plain(x))
        sum(losses.values()).backward()
        begun = step >= 3 + (over > 0)
        assert all((p.grad is not None) == begun for p in reg.parameters())
        assert counter.frame_count == 1 + begun
    assert reg.game.step == plain.game.step == 8


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_training_resumes_where_it_stopped(stop: int, encoder, decoder, x) -> None:
    """With a ramp that is still waiting, one that grows, and one that ended."""

    def make() -> Sum:
        acai = ACAIRegularizer(encoder, decoder, weight=Ramp(0.5, start=1, over=3))
        return acai + Sparsity(encoder, decoder, weight=Ramp(1.0, start=2))

    def weights(reg: Sum, steps: int) -> list[list[float]]:
        rows = []
        for _ in range(steps):
            reg(x)
            rows.append([float(weight) for weight in reg.weights.values()])
        return rows

    whole, first, second = make(), make(), make()
    expected = weights(whole, 7)
    assert weights(first, stop) == expected[:stop]
    second.load_state_dict(first.state_dict())
    assert weights(second, 7 - stop) == expected[stop:]


def test_a_copy_counts_for_itself(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder, weight=Ramp(0.5, start=2))
    reg(x)
    twin = copy.deepcopy(reg)
    for _ in range(3):
        twin(x)
    assert (float(twin.weights["interpolation"]), int(twin.game.step)) == (0.5, 4)
    reg(x)
    assert (float(reg.weights["interpolation"]), int(reg.game.step)) == (0.0, 2)


def test_a_ramp_that_is_assigned_later_follows_the_steps_before_it(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    for _ in range(3):
        reg(x)
    reg.game.weight = Ramp(1.0, start=4)
    weights = []
    for _ in range(3):
        reg(x)
        weights.append(float(reg.weights["interpolation"]))
    assert weights == [0, 1, 1]


def test_terms_without_a_ramp_count_nothing(encoder, decoder, x) -> None:
    reg = Sparsity(encoder, decoder)
    reg(x)
    assert reg.step is None
    assert not reg.state_dict()
    reg.weight = Ramp(1.0)
    assert list(reg.state_dict()) == ["step"]
