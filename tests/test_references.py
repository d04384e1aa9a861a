"""Assignments after construction: refused where they could be honoured in part only, and nothing is changed."""

import copy
import pickle

import pytest
from torch import nn
from zoo import Zoo

from interpreg import Critic, Interpolator, KLPrior, LatentCritic, MMDPrior, Reconstruction, fresh_copy
from interpreg.bottlenecks import GaussianBottleneck
from interpreg.recipes import ACAIRegularizer, AEAIRegularizer, AMRRegularizer, GAIARegularizer

MADE = [ACAIRegularizer, AEAIRegularizer, AMRRegularizer, GAIARegularizer, Critic, LatentCritic, MMDPrior]


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_the_networks_of_a_regularizer_stay(make, name: str, pair: Zoo) -> None:
    reg = make(pair.encoder, pair.decoder)
    other = fresh_copy(pair.encoder)
    keys = list(reg.state_dict())
    with pytest.raises(AttributeError, match=rf"{name}: expected no assignment after .* was made, got a"):
        setattr(reg, name, other)
    assert getattr(reg, name) is getattr(pair, name)
    assert list(reg.state_dict()) == keys
    assert other not in list(reg.modules())


@pytest.mark.parametrize("make", [ACAIRegularizer, AEAIRegularizer, AMRRegularizer, GAIARegularizer])
@pytest.mark.parametrize("name", ["critic", "game"])
def test_the_critic_of_a_recipe_stays(make, name: str, encoder, decoder) -> None:
    reg = make(encoder, decoder)
    before = getattr(reg, name)
    with pytest.raises(AttributeError, match=rf"{name}: expected no assignment"):
        setattr(reg, name, fresh_copy(encoder))
    assert getattr(reg, name) is before


@pytest.mark.parametrize("name", ["critic", "network", "interpolator"])
def test_the_critic_of_a_term_stays(name: str, encoder, decoder) -> None:
    reg = Critic(encoder, decoder)
    before = reg.network
    with pytest.raises(AttributeError, match=rf"{name}: expected no assignment"):
        setattr(reg, name, Interpolator() if name == "interpolator" else fresh_copy(encoder))
    assert reg.network is reg.critic is before
    assert reg.interpolator is None


@pytest.mark.parametrize("name", ["parts", "interpolator", "autoencoder_every"])
def test_what_a_sum_is_planned_with_stays(name: str, encoder, decoder) -> None:
    reg = Interpolator() + ACAIRegularizer(encoder, decoder)
    before = getattr(reg, name)
    with pytest.raises(AttributeError, match=rf"{name}: expected no assignment after Sum was made"):
        setattr(reg, name, 2)
    assert getattr(reg, name) is before


def test_layers_of_a_critic_may_be_replaced(encoder, decoder, x) -> None:
    """What judges from then on is the new layer, for both players."""
    reg = Critic(encoder, decoder, nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))
    new = nn.Linear(64, 1)
    nn.init.constant_(new.weight, 0.0)
    nn.init.constant_(new.bias, 3.0)
    reg.network[1] = new
    losses = reg(x)
    assert losses["interpolation"].item() == pytest.approx(0.5 * 9)
    assert losses["critic/real"].item() == pytest.approx(9)
    losses["critic/real"].backward()
    assert new.bias.grad is not None


def test_a_loss_and_a_bottleneck_stay_and_are_not_owned(encoder, decoder) -> None:
    loss = nn.MSELoss()
    reconstruction = Reconstruction(encoder, decoder, loss=loss)
    with pytest.raises(AttributeError, match=r"loss: expected no assignment after Reconstruction was made"):
        reconstruction.loss = nn.L1Loss()
    assert reconstruction.loss is loss
    variational = GaussianBottleneck(nn.Sequential(nn.Flatten(), nn.Linear(64, 8)))
    kl = KLPrior(variational, decoder)
    with pytest.raises(AttributeError, match=r"bottleneck: expected no assignment"):
        kl.bottleneck = variational
    assert not list(kl.parameters())
    assert not list(reconstruction.children())


def test_copies_refer_to_copies_made_with_them(encoder, decoder, x) -> None:
    """One deepcopy or pickle of model and regularizer together keeps them together."""
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    reg = ACAIRegularizer(encoder, decoder)
    for twin_model, twin in (copy.deepcopy((model, reg)), pickle.loads(pickle.dumps((model, reg)))):
        assert twin.encoder is twin_model["encoder"] is not encoder
        assert twin.game.encoder is twin.encoder
        assert list(twin(x)) == list(reg(x))
