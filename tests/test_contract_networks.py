"""Every regularizer, on one autoencoder as users may have it: the same losses and the same gradients."""

import copy
from collections.abc import Callable

import everyone
import pytest
import torch
from everyone import REGULARIZERS
from kinds import KINDS, Kind, plain_pair
from torch import nn
from zoo import Zoo

import interpreg
from interpreg import Regularizer, fresh_copy
from interpreg.bottlenecks.base import Bottleneck
from interpreg.recipes import amr
from interpreg.regularizers import autoencoding_critic, critic

NO_MODULES = ("methods", "functions", "partials")
pytestmark = [
    pytest.mark.filterwarnings("ignore:AlphaSmoothness uses method='finite':UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning"),
]


class Result:
    """The losses of a regularizer and their gradients."""

    def __init__(self, reg: Regularizer, pair: Zoo) -> None:
        torch.manual_seed(4)
        self.losses = reg(pair.x)
        self.trained = [
            *dict.fromkeys([*pair.encoder.parameters(), *pair.decoder.parameters()]),
            *reg.parameters(),
        ]
        total = sum(self.losses.values())
        self.gradients = torch.autograd.grad(total, self.trained, allow_unused=True, materialize_grads=True)


def made(make: Callable[..., Regularizer], encoder: object, decoder: object) -> Regularizer:
    torch.manual_seed(3)  # for the critics
    return make(encoder, decoder)


def copies_of(pair: Zoo, other: Kind) -> Callable[[object], nn.Module]:
    """``fresh_copy`` that copies the plain network in the place of another, also inside a bottleneck."""

    def copied(network: object) -> nn.Module:
        if not isinstance(network, Bottleneck):
            return fresh_copy(pair[other.index(network)] if network in other else network)
        plain = copy.copy(network)
        plain.__dict__.pop("network", None)  # where it is a function
        plain._modules = network._modules | {"network": pair.encoder}
        return fresh_copy(plain)

    return copied


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REGULARIZERS)
def test_the_losses_and_gradients_are_those_of_plain_modules(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind in NO_MODULES and "vqvae" in name:
        pytest.skip("the test's quantizer reads the width of a module")
    monkeypatch.setattr(everyone, "shape", lambda encoder: (4,))
    pair = plain_pair()
    plain = Result(made(REGULARIZERS[name], pair.encoder, pair.decoder), pair)
    other = KINDS[kind](pair)
    for module in (critic, autoencoding_critic, amr, interpreg):  # critics are copies of plain networks
        monkeypatch.setattr(module, "fresh_copy", copies_of(pair, other))
    got = Result(made(REGULARIZERS[name], *other), pair)
    torch.testing.assert_close(got.losses, plain.losses, rtol=1e-7, atol=1e-9)
    for one, another in zip(got.gradients, plain.gradients, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-5, atol=1e-8)
