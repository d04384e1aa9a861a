"""Assignments after construction: refused where they could be honoured in part only, and nothing is changed."""

import copy
import pickle
from collections.abc import Callable
from functools import partial

import pytest
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from zoo import Zoo

from interpreg import (
    Critic,
    Interpolator,
    KLPrior,
    LatentCritic,
    MMDPrior,
    Reconstruction,
    Regularizer,
    fresh_copy,
)
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


def changed(reg: Regularizer, network: nn.Module) -> list[Callable[[], object]]:
    """Ways to replace, remove or register networks and parts after construction."""
    part, other = reg["critic"], Critic(reg.encoder, reg.decoder)
    return [
        partial(delattr, reg, "encoder"), partial(delattr, reg, "parts"), partial(delattr, part, "network"),
        partial(setattr, part, "network", network), partial(part.register_module, "network", network),
        partial(part.add_module, "critic", network), partial(reg.register_module, "encoder", network),
        partial(reg.add_module, "decoder", network), partial(reg.add_module, "parts", network),
        partial(reg.parts.__setitem__, "critic", other), partial(setattr, reg.parts, "critic", other),
        partial(reg.parts.__delitem__, "critic"), partial(delattr, reg.parts, "critic"),
        partial(reg.parts.pop, "critic"), reg.parts.clear, partial(reg.parts.update, {"mmd": other}),
        partial(setattr, reg, "mmd", MMDPrior(reg.encoder, reg.decoder)),
    ]  # fmt: skip


@pytest.mark.fault(
    "Processes", "A network is wrapped later: `reg.encoder = DDP(encoder)`, `reg.parts['critic'] = ...`.",
    now="`AttributeError`, and nothing is changed",
)  # fmt: skip
@pytest.mark.parametrize("way", range(17))
def test_networks_and_parts_are_neither_replaced_nor_removed_nor_registered(way: int, encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    modules, keys = list(reg.modules()), list(reg.state_dict())
    with pytest.raises(AttributeError, match=r"expected (no (assignment|deletion|regularizer)|the parts to stay)"):
        changed(reg, fresh_copy(encoder))[way]()
    assert (list(reg.modules()), list(reg.state_dict())) == (modules, keys)
    assert reg.encoder is encoder
    assert len(reg(x)) == 4


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("name", ["encoder", "decoder", "critic", "game"])
def test_a_network_that_is_wrapped_later_is_refused(name: str, encoder, decoder) -> None:
    for reg in (ACAIRegularizer(encoder, decoder), ACAIRegularizer(encoder, decoder) + MMDPrior(encoder, decoder)):
        with pytest.raises(AttributeError, match=rf"{name}: expected no assignment"):
            setattr(reg, name, DistributedDataParallel(fresh_copy(encoder)))


def test_a_module_may_be_an_attribute_of_a_regularizer_of_ones_own(encoder, decoder) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    reg.head = nn.Linear(2, 2)
    assert "head.weight" in reg.state_dict()
    del reg.head
    assert "head.weight" not in reg.state_dict()
