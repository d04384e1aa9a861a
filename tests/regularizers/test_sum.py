"""Sums: names, sharing, and what cannot be added."""

import pytest
import torch
from calls import calls, seeded
from torch import nn
from zoo import Zoo, vector_pair

from interpreg import ACAIRegularizer, Critic, Interpolator, Reconstruction, Sum


def test_plus_and_sum_are_the_losses_of_the_parts(encoder, decoder, x) -> None:
    a, b = Reconstruction(encoder, decoder), Critic(encoder, decoder)
    assert isinstance(sum([a, b]), Sum)
    by_plus, by_sum, apart = (seeded(call, x) for call in (a + b, sum([a, b]), lambda x: a(x) | b(x)))
    assert by_plus == by_sum == apart
    assert sum([a]) is a


def test_sums_are_flat_and_recipes_stay_whole(pair: Zoo) -> None:
    def make() -> Reconstruction:
        return Reconstruction(pair.encoder, pair.decoder)

    acai = ACAIRegularizer(pair.encoder, pair.decoder)
    total = make() + (make() + acai) + make()
    assert list(total.parts) == ["reconstruction", "reconstruction_2", "acai", "reconstruction_3"]
    assert total.parts["acai"] is acai


def test_two_critics_keep_their_names_apart(pair: Zoo) -> None:
    total = Critic(pair.encoder, pair.decoder) + Critic(pair.encoder, pair.decoder)
    losses = total(pair.x)
    assert list(losses) == [
        "interpolation", "critic/interpolation", "critic/real",
        "interpolation_2", "critic/interpolation_2", "critic/real_2",
    ]  # fmt: skip
    players = total.split(losses)
    assert sum(players).item() == pytest.approx(sum(losses.values()).item())
    assert len({name.split(".")[1] for name in total.state_dict()}) == 2


def test_an_interpolator_in_a_sum_lends_its_interpolants(pair: Zoo) -> None:
    decoded = calls(pair.decoder)
    lender = Interpolator(pair.encoder, pair.decoder, kind="spherical")
    own = Interpolator(kind="bernoulli")
    for total, decodes in [
        (lender + Critic(pair.encoder, pair.decoder) + Critic(pair.encoder, pair.decoder), 2),
        (sum([lender, Critic(pair.encoder, pair.decoder), Critic(pair.encoder, pair.decoder)]), 2),
        (sum([Critic(pair.encoder, pair.decoder), lender, Critic(pair.encoder, pair.decoder)]), 2),
        (lender + Critic(pair.encoder, pair.decoder, interpolator=own) + Critic(pair.encoder, pair.decoder), 3),
    ]:
        decoded.clear()
        losses = total(pair.x)
        assert len(decoded) == decodes
        assert len(losses) == 6  # the lender adds none
        assert total.interpolator is lender


def test_bound_methods_of_one_model_are_the_same_network() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f, self.g, _ = vector_pair()

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return self.f(x)

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return self.g(z)

    model = Model()
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    total = Reconstruction(model.encode, model.decode) + Critic(model.encode, model.decode, critic)
    assert len(total(torch.randn(4, 1, 8, 8))) == 4


def test_what_cannot_be_added_is_refused(pair: Zoo) -> None:
    other = vector_pair()
    reconstruction = Reconstruction(pair.encoder, pair.decoder)
    with pytest.raises(ValueError, match=r"parts: expected all to wrap the same encoder"):
        reconstruction + Reconstruction(other.encoder, pair.decoder)
    with pytest.raises(ValueError, match=r"parts: expected all to wrap the same decoder"):
        reconstruction + Interpolator(pair.encoder, other.decoder)
    with pytest.raises(ValueError, match=r"at most one Interpolator, got 1 and 2"):
        Sum([Interpolator(), reconstruction, Interpolator()])
    with pytest.raises(ValueError, match=r"at least one regularizer"):
        Sum([])
    with pytest.raises(TypeError, match=r"parts: expected regularizers, got a Linear"):
        Sum([nn.Linear(1, 1)])
    with pytest.raises(TypeError, match=r"unsupported operand"):
        reconstruction + 1


def test_an_autoencoder_that_steps_at_every_third_step_has_no_gradients_at_the_others(pair: Zoo) -> None:
    parts = [Reconstruction(pair.encoder, pair.decoder), Critic(pair.encoder, pair.decoder)]
    reg, whole = Sum(parts, autoencoder_every=3), Sum(parts)
    for step in range(6):
        torch.manual_seed(step)
        losses = reg(pair.x)
        torch.manual_seed(step)
        torch.testing.assert_close(losses, whole(pair.x))
        assert losses["reconstruction"].requires_grad == losses["interpolation"].requires_grad == (step % 3 == 2)
        assert losses["critic/real"].requires_grad
    with pytest.raises(ValueError, match="autoencoder_every: expected an int of at least 1, got 0"):
        Sum(parts, autoencoder_every=0)


def test_one_regularizer_twice_is_refused_because_it_would_count_twice(pair: Zoo) -> None:
    part = Critic(pair.encoder, pair.decoder)
    for parts in ([part, part], [Sum([part], autoencoder_every=2), part]):
        with pytest.raises(ValueError, match=r"parts: expected each regularizer once, got one Critic twice"):
            Sum(parts)


@pytest.mark.parametrize("name", ["critic", "game", "network"])
def test_a_sum_has_no_critic_that_could_be_assigned(name: str, pair: Zoo) -> None:
    total = ACAIRegularizer(pair.encoder, pair.decoder) + Reconstruction(pair.encoder, pair.decoder)
    with pytest.raises(AttributeError, match=rf"{name}: expected no assignment after Sum was made"):
        setattr(total, name, nn.Linear(2, 2))


def test_a_recipe_needs_a_name_of_its_own(pair: Zoo) -> None:
    class Nameless(Sum):
        pass

    with pytest.raises(
        TypeError, match=r"name: expected a class attribute of Nameless, a str of its own, got 'sum'"
    ):
        Nameless([Reconstruction(pair.encoder, pair.decoder)])
