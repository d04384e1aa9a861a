"""The latent critic: its losses, its samples of the prior, and what it makes of sequences."""

import copy
import math

import pytest
import torch
from calls import calls
from sequences import Positions, Tokens, valid
from torch import Tensor, nn
from wrapped import variational
from zoo import Constant, Zoo, batch_norm_pair, convolutional_pair, vector_pair

from interpreg import Adaptive, LatentCritic, MMDPrior, Ramp, latent_network
from interpreg.priors import Normal, Sphere


@pytest.mark.parametrize(("loss", "expected"), [
    ("bce", [math.log(1 + math.exp(-0.7)), math.log(1 + math.exp(0.7)), math.log(1 + math.exp(0.7))]),
    ("hinge", [-0.7, 1.7, 1.7]),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_terms_of_a_critic_whose_word_is_known(pair: Zoo, loss: str, expected: list[float], shape) -> None:
    options = {"loss": loss, "prior": lambda n: torch.full((n, 4), 9.0), "weight": 0.5, "critic_weight": 2.0}
    losses = LatentCritic(pair.encoder, pair.decoder, Constant(0.7, shape), **options)(pair.x)
    assert list(losses) == ["latent", "critic/latent", "critic/prior"]
    assert losses["latent"].item() == pytest.approx(0.5 * expected[0])
    assert [losses[name].item() / 2 for name in ("critic/latent", "critic/prior")] == pytest.approx(expected[1:])


def test_an_example_tells_the_shape_and_disturbs_nothing(zoo: Zoo) -> None:
    encoder, decoder, x = zoo
    encoder.requires_grad_(True)
    next(encoder.modules()).train()
    state = copy.deepcopy(encoder.state_dict())
    modes = [m.training for m in encoder.modules()]
    random = torch.get_rng_state()
    network = latent_network(encoder.code_shape)
    torch.set_rng_state(random)
    reg = LatentCritic(encoder, decoder, example=x)
    torch.testing.assert_close(list(reg.network.parameters()), list(network.parameters()), rtol=0, atol=0)
    assert [m.training for m in encoder.modules()] == modes
    assert all(torch.equal(now, state[key]) for key, now in encoder.state_dict().items())


def test_an_example_leaves_no_note_in_a_bottleneck(encoder, decoder, x) -> None:
    encoder = variational(encoder)
    LatentCritic(encoder, decoder, example=x)
    with pytest.raises(ValueError, match="expected the codes of the latest call"):
        encoder.take_aux()


def test_the_default_network_is_typed_as_the_encoder_is(encoder, decoder, x) -> None:
    encoder.double(), decoder.double()
    for arguments in ({}, {"code_shape": (4,)}, {"example": x.double()}):
        reg = LatentCritic(encoder, decoder, **arguments)
        losses = reg(x.double())
        assert all(p.dtype == torch.float64 for p in reg.parameters())
        assert all(loss.dtype == torch.float64 for loss in losses.values())
    assert LatentCritic(lambda v: v, lambda v: v)(x).keys() == losses.keys()  # callables that have no type


@pytest.mark.parametrize("arguments", [{}, {"code_shape": (None, 2)}])
def test_padding_has_no_say_and_lengths_may_vary(arguments: dict[str, object]) -> None:
    encoder, decoder = Positions(3, 2), Positions(2, 3)
    mask = valid()
    x = torch.randn(4, 5, 3)
    reg = LatentCritic(encoder, decoder, **arguments)
    reg(x, mask=mask)
    torch.manual_seed(1)
    expected = reg(x, mask=mask)
    wild = torch.where(mask[..., None], x, torch.full_like(x, 1e4))
    torch.manual_seed(1)
    actual = reg(wild, mask=mask)
    torch.testing.assert_close(actual, expected)
    sum(actual.values()).backward()
    gradients = [p.grad.clone() for p in [*encoder.parameters(), *reg.parameters()]]
    encoder.zero_grad(), reg.zero_grad()
    sum(expected.values()).backward()
    torch.testing.assert_close([ours.grad for ours in [*encoder.parameters(), *reg.parameters()]], gradients)
    shorter = reg(x[:, :3], mask=mask[:, :3])
    assert all(loss.detach().isfinite() for loss in shorter.values())


def test_each_position_has_a_sample_of_its_own() -> None:
    drawn, network = [], Tokens(2, 1)
    network.register_forward_pre_hook(lambda module, inputs: drawn.append(inputs[0].detach()))
    reg = LatentCritic(Positions(3, 2), Positions(2, 3), network, prior=Sphere(2.0))
    reg(torch.randn(4, 5, 3), mask=torch.ones(4, 5, dtype=torch.bool))
    torch.testing.assert_close(drawn[-1].norm(dim=-1), torch.full((4, 5), 2.0))


def test_an_mmd_in_the_same_sum_shares_the_samples(pair: Zoo) -> None:
    prior, draws = Normal(), []
    sample = prior.sample

    class Counting(Normal):
        def sample(self, *arguments: object) -> Tensor:
            draws.append(1)
            return sample(*arguments)

    shared = Counting()
    latent = LatentCritic(pair.encoder, pair.decoder, code_shape=(4,), prior=shared)
    (latent + MMDPrior(pair.encoder, pair.decoder, prior=shared, closed_form=False))(pair.x)
    assert len(draws) == 1


def test_the_game_brings_codes_to_the_prior() -> None:
    """Codes that start around 3, half as wide as the prior."""
    x = torch.randn(256, 2)
    encoder = nn.Linear(2, 2)
    with torch.no_grad():
        encoder.weight.copy_(0.5 * torch.eye(2)), encoder.bias.fill_(3.0)
    reg = LatentCritic(encoder, nn.Identity(), weight=Ramp(1.0, start=20))
    critic, own = torch.optim.Adam(reg.parameters(), lr=3e-3), torch.optim.Adam(encoder.parameters(), lr=1e-2)
    for _ in range(700):
        losses = reg(x)
        critic.zero_grad(), own.zero_grad()
        sum(losses.values()).backward()
        critic.step(), own.step()
    z = encoder(x).detach()
    assert z.mean(0).norm() < 0.6
    assert (z.std(0) - 1).abs().max() < 0.35


@pytest.mark.parametrize(("arguments", "message"), [
    ({"loss": "regression"}, r"loss: expected one of 'bce', 'hinge', got 'regression'"),
    ({"code_shape": 4}, r"code_shape: expected a tuple of one code's lengths, without the batch axis, got 4"),
    ({"code_shape": (0,)}, r"code_shape: expected an int of at least 1, got 0"),
    ({"code_shape": (4, None)}, r"code_shape: expected fixed lengths for kind='flat', got \(4, None\)"),
    ({"code_shape": (4,), "example": torch.ones(2, 1, 8, 8)}, r"example: expected None beside code_shape"),
    ({"example": [1.0]}, r"example: expected a tensor, got a list"),
    ({"critic": latent_network((4,)), "code_shape": (4,)}, r"critic: expected None beside code_shape or ex"),
    ({"weight": Adaptive()}, r"weight: expected Adaptive\(\.\.\., at=a parameter of the encoder\), got at=None"),
])  # fmt: skip
def test_bad_arguments_are_named(pair: Zoo, arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        LatentCritic(pair.encoder, pair.decoder, **arguments)


def test_a_network_that_mixes_up_its_batch_is_told(pair: Zoo) -> None:
    reg = LatentCritic(pair.encoder, pair.decoder, nn.Sequential(nn.Linear(4, 1), nn.Unflatten(0, (2, -1))))
    with pytest.raises(ValueError, match=r"critic: expected a batch of 6 samples"):
        reg(pair.x)
    with pytest.raises(ValueError, match=r"expected codes \[B, T, D\] for kind='tokens'"):
        LatentCritic(pair.encoder, pair.decoder, latent_network((None, 4)))(pair.x)


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, batch_norm_pair])
def test_how_often_networks_are_called(make_pair) -> None:
    encoder, decoder, x = make_pair()
    for network in (latent_network(encoder.code_shape), nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d())):
        reg = LatentCritic(encoder, decoder, network)
        reg(x)  # when a lazy one gets its shapes
        made = [calls(module) for module in (encoder, decoder, network)]
        reg(x)
        assert [len(each) for each in made] == [1, 0, 3]
