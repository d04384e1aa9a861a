"""GAIA's two forms against their equations, written out step by step in plain torch; and how it mixes codes."""

import pytest
import torch
from step_for_step import is_step_for_step, straight_distance
from torch import Tensor, nn
from zoo import Zoo, convolutional_pair, token_pair, vector_pair

from interpreg import GAIARegularizer, Interpolator

PAIRS = pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, token_pair])


def straight_simple(pair: Zoo, critic: nn.Module) -> dict[str, Tensor]:
    """The rewrite: squares, chi-squared weights of the whole batch; drawn as Gamma(a + 1) U^(1/a), in float64."""
    x, n = pair.x, len(pair.x)
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    a = 1 / (2 * n)
    gamma = torch._standard_gamma((1 + a) * torch.ones(n, n)).double()
    chi = 2 * gamma * (1 - torch.rand(n, n).double()) ** (1 / a)
    weights = (chi / chi.sum(1, keepdim=True)).float()
    x_mix = pair.decoder(torch.einsum("ij,j...->i...", weights, z))

    def error(target: Tensor, image: Tensor) -> Tensor:
        return (target - critic(image)).square().mean()

    of_x, of_hat = error(x, x), error(x, x_hat.detach())
    of_mix = error(x_mix.detach(), x_mix.detach())
    return {
        "reconstructed": error(x, x_hat),
        "interpolation": error(x_mix, x_mix),
        "critic/real": of_x,
        "critic/reconstructed": of_hat,
        "critic/interpolation": -(of_mix if of_mix < of_x else of_x),
    }


def straight_published(pair: Zoo, critic: nn.Module, weight: float) -> dict[str, Tensor]:
    """The paper's code, on pixels in [0, 1]."""
    x, half = pair.x, len(pair.x) // 2
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    beta = (0.5 + 0.25 * torch.randn(2 * half)).view(-1, *[1] * (z.ndim - 1))
    first, second = z[:half], z[half : 2 * half]
    reverse = first.flip(0)
    group_1 = beta[:half] * first + (1 - beta[:half]) * second
    group_2 = beta[half:] * reverse + (1 - beta[half:]) * second
    x_mix = pair.decoder(torch.cat([group_1, group_2]))

    def error(target: Tensor, image: Tensor) -> Tensor:
        return ((target + 1) / 2 - (critic(image) + 1) / 2).abs().mean()

    r_g, r_i = error(x, x_hat), error(x_mix, x_mix)
    p_g = torch.sigmoid(20 * (r_i - r_g))
    generator = torch.clip(p_g * r_i + (1 - p_g) * r_g + weight * straight_distance(x, z), -1, 1)
    r_x, r_g, r_i = error(x, x), error(x, x_hat.detach()), error(x_mix.detach(), x_mix.detach())
    p_f = torch.clip(torch.sigmoid(20 * (0.5 * r_i - r_x)), 0, 0.9)
    return {"adversarial": generator, "critic/adversarial": torch.clip(r_x - p_f * (r_g + r_i) / 2, -1, 1)}


@PAIRS
@pytest.mark.parametrize("batch_size", [6, 5, 2])
def test_the_simple_form_is_the_rewrite_step_for_step(make_pair, batch_size: int) -> None:
    pair = make_pair(batch_size)
    is_step_for_step(pair, GAIARegularizer(pair.encoder, pair.decoder), straight_simple)


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_both_sides_of_the_simple_forms_minimum(scale: float) -> None:
    """Interpolants that are copied better than the data, and worse."""
    pair = vector_pair()
    with torch.no_grad():
        pair.decoder[2].weight.mul_(scale), pair.decoder[2].bias.mul_(scale)
    reg = GAIARegularizer(pair.encoder, pair.decoder)
    is_step_for_step(pair, reg, straight_simple)
    assert (reg.game.errors.interpolation < reg.game.errors.real) == (scale < 1)


@PAIRS
@pytest.mark.parametrize("batch_size", [6, 5, 2])
def test_the_preset_is_the_papers_code_step_for_step(make_pair, batch_size: int) -> None:
    pair = make_pair(batch_size)
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published")
    assert reg.game.distance_weight == 5e-5
    is_step_for_step(pair, reg, lambda *nets: straight_published(*nets, 5e-5))


@pytest.mark.parametrize("weight", [0.0, 0.7])
@pytest.mark.parametrize("pixels", [0.2, 1.0])
def test_the_published_form_without_the_preset(weight: float, pixels: float) -> None:
    """A distance that weighs something; images of which the shares are in between, and clipped."""
    pair = vector_pair()
    pair = pair._replace(x=pixels * pair.x)
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published", distance_weight=weight)
    is_step_for_step(pair, reg, lambda *nets: straight_published(*nets, weight))


def test_a_given_interpolator_mixes(pair: Zoo) -> None:
    interpolator = Interpolator(kind="spherical")
    reg = GAIARegularizer(pair.encoder, pair.decoder, interpolator=interpolator, reconstruction="l1", weight=0.5)
    assert reg.game.interpolator is interpolator
    assert GAIARegularizer(pair.encoder, pair.decoder).game.interpolator is None
    torch.manual_seed(1)
    losses = reg(pair.x)
    assert next(iter(losses)) == "reconstruction"
    torch.manual_seed(1)
    x_mix = pair.decoder(interpolator.mix(pair.encoder(pair.x)))
    expected = (x_mix - reg.critic(x_mix)).square().mean()
    torch.testing.assert_close(losses["interpolation"], 0.5 * expected)
