"""GAIA's critic: its balance, its clips, its masks."""

import pytest
import torch
from sequences import Positions, valid
from torch import nn

from interpreg import AutoencodingCritic, GAIARegularizer


def test_clipped_losses_have_no_gradient(encoder, decoder, x) -> None:
    reg = GAIARegularizer(encoder, decoder, preset="published", distance_weight=0.0)
    losses = reg(20 * x)
    assert losses["adversarial"] == 1
    sum(losses.values()).backward()
    assert all((p.grad == 0).all() for p in [*encoder.parameters(), *reg.parameters()])


def test_the_balance_of_learning_rates(encoder, decoder, x) -> None:
    reg = GAIARegularizer(encoder, decoder, preset="published").game
    reg(x)
    r_x, r_g, r_i = reg.errors
    expected = torch.sigmoid(20 * (r_x - (r_g + r_i) / 2))
    torch.testing.assert_close((reg.balance.critic, reg.balance.autoencoder), (expected, 1 - expected))
    assert not any(t.requires_grad for t in [*reg.balance, *reg.errors])
    simple = GAIARegularizer(encoder, decoder).game
    simple(x)
    assert simple.balance is None


@pytest.mark.parametrize("form", ["simple", "published"])
def test_padding_has_no_say(form: str) -> None:
    encoder, decoder, critic = Positions(3, 2), Positions(2, 3), Positions(3, 3)
    mask = valid()
    x = torch.randn(4, 5, 3)
    # mixed codes are valid where either is, so codes are zeroed elsewhere, as an encoder of sequences would
    zeroed = lambda x, mask: torch.where(mask[..., None], encoder(x, mask), 0)  # noqa: E731
    reg = GAIARegularizer(zeroed, decoder, critic=critic, preset=None if form == "simple" else form)
    reg.game.distance_weight = 0.5 if form == "published" else 0.0
    wild = torch.where(mask[..., None], x, torch.full_like(x, 1e3))
    torch.manual_seed(1)
    expected = reg(x, mask=mask)
    torch.manual_seed(1)
    torch.testing.assert_close(reg(wild, mask=mask), expected)


def test_bad_batches_networks_and_decoders_are_named(encoder, decoder, x) -> None:
    with pytest.raises(ValueError, match=r"distance_weight: expected 0 without preset='published', got 0.1; add"):
        AutoencodingCritic(encoder, decoder, distance_weight=0.1)
    with pytest.raises(ValueError, match=r"critic: expected the shape of the images that it copies"):
        AutoencodingCritic(encoder, decoder, nn.Sequential(nn.Flatten(), nn.Linear(64, 8)))(x)
    with pytest.raises(ValueError, match=r"no fresh copy of the decoder can be made: it has no parameters"):
        AutoencodingCritic(encoder, nn.Identity())
