"""The game: how judgements are read, what is frozen, when terms count, and what is refused."""

import math

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from zoo import Constant, Zoo, vector_pair

from interpreg import Critic, Interpolator, Ramp, Reconstruction, fresh_copy

FIXED = Interpolator(alpha_range=(0.2999999, 0.3))  # a coefficient of 0.3, to float32's last digits


@pytest.mark.parametrize(("loss", "expected"), [
    ("regression", [0.7**2, (0.7 - 0.3) ** 2, 0.7**2]),
    ("bce", [math.log(1 + math.exp(-0.7)), math.log(1 + math.exp(0.7)), math.log(1 + math.exp(-0.7))]),
    ("hinge", [-0.7, 1.7, 0.3]),
])  # fmt: skip
@pytest.mark.parametrize(("judge", "shape"), [("mean", (4, 2)), ("logit", ()), ("logit", (1,)), ("code", (4,))])
def test_terms_of_a_critic_whose_word_is_known(pair: Zoo, loss: str, expected: list, judge: str, shape) -> None:
    options = {"interpolator": FIXED, "loss": loss, "judge": judge, "weight": 1.0}
    losses = Critic(pair.encoder, pair.decoder, Constant(0.7, shape), **options)(pair.x)
    of = ("interpolation", "critic/interpolation", "critic/real")
    assert [losses[name].item() for name in of] == pytest.approx(expected, rel=1e-5)


def test_the_critic_sees_the_blend_that_gamma_asks_for(pair: Zoo) -> None:
    seen: list[torch.Tensor] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    network.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    Critic(pair.encoder, pair.decoder, network, gamma=0.25)(pair.x)
    x_hat = pair.decoder(pair.encoder(pair.x))
    torch.testing.assert_close(seen[2], 0.25 * pair.x + 0.75 * x_hat)
    assert not seen[1].requires_grad
    assert not seen[2].requires_grad


def test_without_a_blend_reconstructions_are_not_even_decoded(pair: Zoo) -> None:
    decoded = calls(pair.decoder)
    Critic(pair.encoder, pair.decoder, gamma=1.0)(pair.x)
    assert len(decoded) == 1


WIDE = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


@pytest.mark.parametrize(("network", "judge", "message"), [
    (nn.Flatten(), "mean", r"critic: expected parameters to train, got a network that has none"),
    (WIDE, "logit", r"critic: expected one logit a sample .*\(6, 3\)"),
    (WIDE, "code", r"critic: expected the shape of the code .*\(6, 4\)"),
    (nn.Sequential(nn.Linear(8, 8), nn.Flatten(0, 2)), "mean", r"critic: expected a batch of 6 samples"),
    (nn.Sequential(nn.Flatten(), nn.GRU(64, 3)), "mean", r"critic: expected a tensor, got a tuple of length 2"),
])  # fmt: skip
def test_a_critic_that_does_not_fit_is_refused(pair: Zoo, network: nn.Module, judge: str, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Critic(pair.encoder, pair.decoder, network, judge=judge)(pair.x)


def test_a_batch_of_one_is_enough_for_partners_from_the_prior() -> None:
    encoder, decoder, x = vector_pair(1)
    losses = Critic(encoder, decoder, interpolator=Interpolator(pairing="prior"))(x)
    assert all(loss.isfinite() for loss in losses.values())


def test_a_users_critic_may_be_a_fresh_copy_of_anything(pair: Zoo) -> None:
    critic = fresh_copy(pair.encoder)
    reg = Reconstruction(pair.encoder, pair.decoder) + Critic(pair.encoder, pair.decoder, critic)
    assert {id(p) for p in reg.parameters()} == {id(p) for p in critic.parameters()}


@pytest.mark.parametrize(("arguments", "message"), [
    ({"loss": "wasserstein"}, r"loss: expected one of 'regression', 'bce', 'hinge', got 'wasserstein'"),
    ({"reconstructed_weight": 1.0}, r"reconstructed_weight: expected None with loss='regression'"),
])  # fmt: skip
def test_losses_that_are_none_or_do_not_go_together_are_named(pair: Zoo, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Critic(pair.encoder, pair.decoder, **arguments)


def observed(x_hat: Tensor, x: Tensor) -> Tensor:
    """The squared error of values that are not missing."""
    return torch.where(x.isnan(), 0.0, x_hat - x).square().sum() / (~x.isnan()).sum()


class Filled(nn.Module):
    """Takes 0 for what is missing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.nan_to_num())


@pytest.mark.fault(
    "Critics",
    "NaN in x for missing values, with a loss over the observed ones, makes the critic's loss of real images NaN.",
    now="the critic is shown the reconstruction where a value is missing",
)
@pytest.mark.parametrize("loss", ["regression", "bce", "hinge"])
def test_missing_values_are_reconstructions_for_the_critic(loss: str, pair: Zoo) -> None:
    """As with x_hat in the place of NaN, losses and gradients, for a critic network that knows no NaN."""
    encoder, decoder, x = Filled(pair.encoder), pair.decoder, pair.x
    missing = torch.rand_like(x) < 0.3
    reg = Reconstruction(encoder, decoder, loss=observed) + Critic(
        encoder, decoder, fresh_copy(pair.encoder), loss=loss, gamma=0.3
    )
    seen = []
    reg["critic"].network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    losses = reg(x.where(~missing, torch.nan))
    x_hat = decoder(pair.encoder(x.where(~missing, 0)))
    torch.testing.assert_close(seen[-1], torch.where(missing, x_hat, 0.3 * x + 0.7 * x_hat))
    assert all(loss.isfinite() for loss in losses.values())
    trained = [*pair.encoder.parameters(), *decoder.parameters(), *reg.parameters()]
    gradients = torch.autograd.grad(sum(losses.values()), trained)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_judgement_that_is_infinite_is_nothing_before_its_start(pair: Zoo) -> None:
    """0 times infinity is NaN; a weight of 0 is no term."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    nn.init.constant_(network[1].bias, torch.inf)
    reg = Critic(
        pair.encoder, pair.decoder, network, weight=Ramp(1.0, start=3, over=2), critic_weight=Ramp(1.0, start=4)
    )
    values = [reg(pair.x)["interpolation"].item() for _ in range(7)]
    assert set(values) == {0.0, math.inf}
    assert values == sorted(values)
