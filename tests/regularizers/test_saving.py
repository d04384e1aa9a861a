"""Pickled and copied whole; a copy whose networks were forgotten says so."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from torch import Tensor, distributions, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel
from zoo import Zoo

from interpreg import (
    ACAIRegularizer,
    DualCritic,
    Interpolator,
    LatentCritic,
    MMDPrior,
    Reconstruction,
    Regularizer,
    SinkhornPrior,
)


def saved_whole(reg: Regularizer) -> Regularizer:
    file = io.BytesIO()
    torch.save(reg, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {"pickle": lambda reg: pickle.loads(pickle.dumps(reg)), "torch.save": saved_whole, "copy": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
def test_every_regularizer_is_saved_whole_and_gives_the_same_losses(make, way: str, pair: Zoo) -> None:
    reg = make(pair.encoder, pair.decoder)
    reg(pair.x)
    if way != "copy" and any(parametrize.is_parametrized(module) for module in reg.modules()):
        with pytest.raises(RuntimeError, match="parametrized modules is only supported through state_dict"):
            COPIES[way](reg)
        return
    twin = COPIES[way](reg)
    torch.manual_seed(1)
    losses = reg(pair.x)
    torch.manual_seed(1)
    torch.testing.assert_close(twin(pair.x), losses)


def draw(n: int) -> Tensor:
    return torch.randn(n, 4)


@pytest.mark.fault(
    "Saving", "A regularizer whose prior is a torch distribution is pickled, or saved whole.",
    now="it is saved and loaded",
)  # fmt: skip
@pytest.mark.parametrize("make", [MMDPrior, SinkhornPrior, LatentCritic, DualCritic])
@pytest.mark.parametrize("prior", [
    distributions.MultivariateNormal(torch.zeros(4), torch.eye(4)),
    distributions.Independent(distributions.Laplace(torch.zeros(4), torch.ones(4)), 1), draw,
])  # fmt: skip
def test_priors_are_saved_with_it(make, prior: object, pair: Zoo) -> None:
    options = {"code_shape": (4,)} if make is LatentCritic else {}
    reg = make(pair.encoder, pair.decoder, prior=prior, **options)
    twin = pickle.loads(pickle.dumps(reg))
    torch.manual_seed(1)
    losses = reg(pair.x)
    torch.manual_seed(1)
    torch.testing.assert_close(twin(pair.x), losses)


class Flow(nn.Module):
    """A trained prior."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, n: int | Tensor) -> Tensor:
        return self.layer(torch.randn(n, 4) if isinstance(n, int) else torch.randn_like(n))


@pytest.mark.fault(
    "Saving", "A module is given as a prior, a pairing, a kernel or a loss.",
    now="it is referred to: `reg.parameters()` and `reg.state_dict()` do not hold it",
)  # fmt: skip
def test_modules_that_are_given_are_not_owned(encoder, decoder) -> None:
    flow = Flow()
    regs = [
        MMDPrior(encoder, decoder, prior=flow), SinkhornPrior(encoder, decoder, prior=flow),
        LatentCritic(encoder, decoder, code_shape=(4,), prior=flow), DualCritic(encoder, decoder, prior=flow),
        Reconstruction(encoder, decoder, loss=lambda x_hat, x: flow.layer(x - x_hat).mean()),
        ACAIRegularizer(encoder, decoder, interpolator=Interpolator(pairing="prior", prior=flow)),
        ACAIRegularizer(encoder, decoder, interpolator=Interpolator(pairing=flow)),
    ]  # fmt: skip
    for reg in [*regs, sum(regs)]:
        assert flow not in list(reg.modules())
        assert not any("flow" in key or "prior" in key or "pairing" in key for key in reg.state_dict())
        assert not {id(p) for p in flow.parameters()} & {id(p) for p in reg.parameters()}


def messages(reg: nn.Module, x: Tensor) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            reg(x)
    return [str(each.message) for each in caught]


def trained(model: nn.Module) -> None:
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)


@pytest.mark.fault(
    "Saving", "`AveragedModel(reg)` averages the critic beside a stale copy of the encoder and decoder.",
    now="a warning at the first evaluation, with the line that averages all together",
)  # fmt: skip
def test_an_average_without_its_networks_is_warned_of_once(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder)
    alone, together = AveragedModel(reg), AveragedModel(nn.ModuleList([reg, pair.encoder, pair.decoder]))
    for _ in range(2):
        trained(nn.ModuleList([pair.encoder, pair.decoder, reg]))
        alone.update_parameters(reg)
        together.update_parameters(nn.ModuleList([reg, pair.encoder, pair.decoder]))
    alone.eval()
    together.eval()
    (message,) = messages(alone, pair.x)
    assert "this copy of ACAIRegularizer has an encoder and a decoder of its own" in message
    assert "AveragedModel(nn.ModuleList([encoder, decoder, reg]))" in message
    assert not messages(together.module[0], pair.x)
    assert together.module[0].encoder is together.module[1]


def test_snapshots_and_copies_that_train_are_silent(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder)
    snapshot, twin = copy.deepcopy(reg), copy.deepcopy(reg)
    trained(nn.ModuleList([reg, pair.encoder, pair.decoder]))
    assert not messages(snapshot.eval(), pair.x)
    sum(twin(pair.x).values()).backward()
    trained(twin)  # its critic alone, as at a step without the autoencoder's
    assert not messages(twin.eval(), pair.x)
    restored = copy.deepcopy(reg)
    restored.load_state_dict(reg.state_dict())
    restored.encoder.load_state_dict(pair.encoder.state_dict())
    with torch.inference_mode():
        assert not messages(restored.eval(), pair.x)
    together = copy.deepcopy(nn.ModuleList([pair.encoder, pair.decoder, reg]))
    trained(together[2])  # whoever copied the networks too did not forget them
    assert not messages(together[2].eval(), pair.x)
