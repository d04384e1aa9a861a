"""The adversarial autoencoder against its equations, written out step by step in plain torch."""

import pytest
import torch
from step_for_step import is_step_for_step
from torch import Tensor, nn
from zoo import Zoo, convolutional_pair, recurrent_pair, scalar_code_pair, vector_pair

from interpreg import AAERegularizer, LatentCritic, Reconstruction


def straight_aae(pair: Zoo, critic: nn.Module, loss: str, weight: float) -> dict[str, Tensor]:
    """Reconstruction, the encoder's non-saturating loss, and the critic's two."""
    x = pair.x
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    h = torch.randn(len(z), z[0].numel()).view(z.shape)
    of_code, of_sample = critic(z.detach()).squeeze(1), critic(h).squeeze(1)
    fooled = critic(z).squeeze(1)
    if loss == "bce":
        one, zero = torch.ones(len(x)), torch.zeros(len(x))
        bce = nn.functional.binary_cross_entropy_with_logits
        values = (bce(fooled, one), bce(of_code, zero), bce(of_sample, one))
    else:
        values = (-fooled.mean(), (1 + of_code).clamp(min=0).mean(), (1 - of_sample).clamp(min=0).mean())
    return {
        "reconstruction": (x - x_hat).square().mean(),
        "latent": weight * values[0],
        "critic/latent": values[1],
        "critic/prior": values[2],
    }


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, recurrent_pair, scalar_code_pair])
@pytest.mark.parametrize(("loss", "weight"), [("bce", 1.0), ("hinge", 0.3)])
@pytest.mark.parametrize("batch_size", [6, 1])
def test_aae_is_its_equations_step_for_step(make_pair, loss: str, weight: float, batch_size: int) -> None:
    pair = make_pair(batch_size)
    reg = AAERegularizer(pair.encoder, pair.decoder, code_shape=pair.encoder.code_shape, loss=loss, weight=weight)
    is_step_for_step(pair, reg, lambda *nets: straight_aae(*nets, loss, weight))


def test_aae_has_the_published_defaults(pair: Zoo) -> None:
    reg = AAERegularizer(pair.encoder, pair.decoder, code_shape=(4,))
    assert [type(part) for part in reg.regularizers()] == [Reconstruction, LatentCritic]
    assert (reg.game.weight, reg.game.critic_weight, reg.game.loss) == (1.0, 1.0, "bce")


def test_reconstruction_may_be_left_to_the_loop_and_a_network_be_given(pair: Zoo) -> None:
    network = nn.Linear(4, 1)
    reg = AAERegularizer(pair.encoder, pair.decoder, critic=network, reconstruction=None)
    assert list(reg(pair.x)) == ["latent", "critic/latent", "critic/prior"]
    assert reg.critic is network
