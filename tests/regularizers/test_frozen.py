"""The pass in which a network's parameters get no gradient and its buffers stay as they are."""

import pytest
import torch
from torch import Tensor, nn
from zoo import PAIRS, batch_norm_pair

from interpreg.regularizers.frozen import Frozen


def of(network: nn.Module, x: Tensor, *, frozen: bool) -> Tensor:
    torch.manual_seed(1)
    return Frozen(network)(x, None) if frozen else network(x)


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_the_networks_value_and_the_gradient_of_the_input_alone(name: str) -> None:
    network, _, x = PAIRS[name]()
    x.requires_grad_()
    output = of(network, x, frozen=True)
    plain = of(network, x, frozen=False)
    torch.testing.assert_close(output, plain)
    upstream = torch.randn(output.shape)
    torch.testing.assert_close(
        torch.autograd.grad(output, x, upstream)[0], torch.autograd.grad(plain, x, upstream)[0]
    )
    assert not of(network, x.detach(), frozen=True).requires_grad


@pytest.mark.parametrize("normalised", [nn.Identity, torch.nn.utils.parametrizations.spectral_norm])
def test_statistics_and_power_iterations_stay_where_they_were(normalised) -> None:
    network, _, x = batch_norm_pair()
    network = nn.Sequential(
        network, nn.Flatten(), normalised(nn.Linear(16, 2)) if normalised is not nn.Identity else nn.Linear(16, 2)
    )
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    of(network, x, frozen=True)
    torch.testing.assert_close(dict(network.named_buffers()), before, rtol=0, atol=0)
    network(x)
    assert network[0][1].num_batches_tracked == 1


def test_parameters_come_back_after_an_error() -> None:
    class Failing(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("out of paper")

    network = Failing(2, 2)
    weight = network.weight
    with pytest.raises(RuntimeError, match="out of paper"):
        Frozen(network)(torch.randn(3, 2), None)
    assert network.weight is weight


def test_layers_that_are_added_later_are_frozen_too() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    frozen = Frozen(network)
    frozen(torch.randn(3, 2), None)
    network.append(nn.Linear(2, 1))
    network[0] = nn.Linear(2, 2)
    assert not frozen(torch.randn(3, 2), None).requires_grad


def test_new_memory_of_a_parameter_is_followed() -> None:
    network = nn.Linear(2, 1, bias=False)
    frozen, x = Frozen(network), torch.randn(3, 2)
    frozen(x, None)
    network.weight.data = torch.ones(1, 2)
    torch.testing.assert_close(frozen(x, None), x.sum(1, keepdim=True))
