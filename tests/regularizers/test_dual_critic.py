"""A critic of three kinds of images, and the prior samples that they share."""

import pytest
import torch
from torch import Tensor
from zoo import Constant, vector_pair

from interpreg import DualCritic, Interpolator, MIDRAERegularizer


def test_one_draw_of_the_prior_serves_noise_and_mmd_as_published() -> None:
    pair = vector_pair()
    draws = []

    def prior(n: int) -> Tensor:
        draws.append(torch.randn(n, 4))
        return draws[-1]

    reg = MIDRAERegularizer(pair.encoder, pair.decoder, prior=prior, preset="published")
    reg(pair.x)
    assert len(draws) == 1
    reg(pair.x)
    assert len(draws) == 2


def test_terms_of_a_critic_whose_word_is_known(encoder, decoder, x) -> None:
    """0.7 of everything; coefficients of mixes with noise are 0.2, to the last digits of float32."""
    weights = {"weight": 1.0, "noise_weight": 2.0, "prior_weight": 3.0, "critic_weight": 0.5}
    reg = DualCritic(encoder, decoder, Constant(0.7, (4,)), noise_range=(0.1999999, 0.2), **weights)
    losses = {name: loss.item() for name, loss in reg(x).items()}
    mixed = losses.pop("critic/interpolation")  # (0.7 - alpha)^2, alpha in [0, 0.5]
    assert 0.5 * 0.2**2 < mixed < 0.5 * 0.7**2
    assert losses == pytest.approx(
        {
            "interpolation": 0.7**2,
            "noise": 2 * 0.7**2,
            "prior": 3 * 0.7**2,
            "critic/noise": 0.5 * (0.7 - 0.2) ** 2,
            "critic/prior": 0.5 * (0.7 - 0.5) ** 2,
            "critic/real": 0.5 * 0.7**2,
        },
        rel=1e-5,
    )


def test_decoded_noise_is_of_the_prior_and_mixed_noise_between_it_and_the_code(encoder, decoder, x) -> None:
    decoded: list[Tensor] = []
    decoder.register_forward_pre_hook(lambda module, args: decoded.append(args[0]))
    DualCritic(encoder, decoder, prior=lambda n: torch.full((n, 4), 9.0), noise_range=(0.0, 1.0))(x)
    _, mixed, noise = decoded
    assert torch.equal(noise, torch.full((6, 4), 9.0))
    share = (mixed - 9) / (encoder(x) - 9)
    assert ((share >= 0) & (share <= 1)).all()
    assert len(share.unique()) > 20  # a coefficient for each element


def test_without_coefficients_for_each_element_noise_has_one_a_sample(encoder, decoder, x) -> None:
    reg = DualCritic(encoder, decoder, interpolator=Interpolator(), judge="mean")
    assert (reg.sources()[1].mixer.interpolator.kind, len(reg(x))) == ("linear", 7)
