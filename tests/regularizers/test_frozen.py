"""The frozen pass against ``torch.func.functional_call`` with detached parameters, its slower twin."""

import pytest
import torch
from decoders import Made
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, prune
from zoo import Zoo, batch_norm_pair

from interpreg import Critic
from interpreg.regularizers.frozen import Frozen


class Shared(nn.Module):
    """One layer under two names, one parameter in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.again = self.first
        self.tied = nn.Linear(5, 5)
        self.tied.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tied(self.again(self.first(x).tanh()).tanh())


class Counting(nn.Module):
    """A buffer that every call changes in place, and one that it replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 5)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return self.linear(x) + self.mean


NETWORKS = {
    "linear": lambda: nn.Sequential(nn.Linear(5, 5), nn.ReLU(inplace=True), nn.Linear(5, 5)),
    "shared": Shared,
    "counting": Counting,
    "recurrent": lambda: Made(nn.GRU(5, 5, batch_first=True), lambda gru, x: gru(x[:, None])[0][:, 0]),
    "batch norm": lambda: nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5)),
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(5, 5))),
    "pruned": lambda: nn.Sequential(prune.random_unstructured(nn.Linear(5, 5), "weight", 0.3)),
    "part frozen": lambda: nn.Sequential(nn.Linear(5, 5).requires_grad_(False), nn.Linear(5, 5)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_output_and_gradient_are_those_of_detached_parameters(name: str, training: bool) -> None:
    network, x = NETWORKS[name]().train(training), torch.randn(6, 5)
    detached = {key: p.detach() for key, p in network.named_parameters()}
    buffers = {key: b.clone() for key, b in network.named_buffers()}
    twin = x.clone().requires_grad_()
    expected = functional_call(network, detached | {key: b.clone() for key, b in buffers.items()}, (twin,))
    expected.square().sum().backward()
    own, before = x.clone().requires_grad_(), list(network.parameters())
    output = Frozen(network)(own, None)
    output.square().sum().backward()
    torch.testing.assert_close((output, own.grad), (expected, twin.grad))
    assert all(p.grad is None for p in before)
    assert all(a is b for a, b in zip(network.parameters(), before, strict=True))
    torch.testing.assert_close(dict(network.named_buffers()), buffers)


def test_the_network_trains_as_before_after_a_frozen_call(zoo: Zoo) -> None:
    encoder, _, x = zoo
    frozen = Frozen(encoder)
    frozen(x, None)
    encoder(x).square().mean().backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)


def test_an_error_in_the_network_leaves_it_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Linear(4, 5))
    before = [*network.parameters(), *network.buffers()]
    with pytest.raises(RuntimeError, match="shapes"):
        Frozen(network)(torch.randn(6, 5), None)
    assert all(a is b for a, b in zip([*network.parameters(), *network.buffers()], before, strict=True))


def test_new_values_and_new_layers_are_used() -> None:
    """An optimizer's step in place, memory moved by ``to``, a parametrization, a layer replaced or added."""
    network, x = nn.Sequential(nn.Linear(5, 5)), torch.randn(6, 5)
    frozen = Frozen(network)
    frozen(x, None)

    def check() -> None:
        torch.testing.assert_close(frozen(x, None), network(x).detach())
        assert not frozen(x, None).requires_grad

    with torch.no_grad():
        network[0].weight.add_(1)
    check()
    x = x.double()
    network.double()
    check()
    network[0].weight = nn.Parameter(torch.randn(5, 5).double())
    check()
    network[0].weight.data = torch.randn(5, 5).double()  # new memory of the same parameter
    check()
    network.append(nn.Linear(5, 5).double())
    check()
    network[1] = nn.Linear(5, 5, bias=False).double()
    check()
    parametrizations.weight_norm(network[0])
    check()
    network[0].bias = None
    check()


def test_the_frozen_pass_leaves_batch_statistics_alone() -> None:
    encoder, decoder, x = batch_norm_pair()
    critic = Critic(encoder, decoder)
    critic(x)
    assert critic.network[1].num_batches_tracked == 2  # the critic's own two passes, not the autoencoder's third
