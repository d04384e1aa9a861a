"""Critics with activation checkpointing, which cannot be frozen in the backward, are refused; others are left alone."""

import pytest
import torch
from decoders import Made
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from interpreg import Critic


def layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))


class Checkpointed(nn.Module):
    """Activation checkpointing in training mode, as models in use have it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.layers, self.way = layers(), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.layers(x)
        if self.way == "functions":
            return checkpoint(self.functions, x, use_reentrant=False)
        if self.way == "sequential":
            return checkpoint_sequential(self.layers, 2, x, use_reentrant=False)
        return checkpoint(self.layers, x, use_reentrant=self.way == "reentrant")

    def functions(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.layers[0].weight).tanh()


@pytest.mark.fault(
    "Critics",
    "The encoder has activation checkpointing, and so has its copy, the critic: torch's `CheckpointError` in the "
    "backward, or with `use_reentrant=True` gradients of the critic from the autoencoder's losses.",
    now="`ValueError` in the first training call",
)
@pytest.mark.parametrize("way", ["reentrant", "hooks", "functions", "sequential"])
def test_checkpointing_inside_the_critic_is_refused(way: str) -> None:
    encoder, decoder, x = Checkpointed(way), nn.Linear(5, 5), torch.randn(6, 5, requires_grad=True)
    reg = Critic(encoder, decoder)
    before = list(reg.network.parameters())
    reg.eval()(x)
    reg.train()
    with pytest.raises(ValueError, match=r"critic: expected a network without activation checkpointing"):
        reg(x)
    assert all(a is b for a, b in zip(reg.network.parameters(), before, strict=True))
    reg = Critic(encoder, decoder, layers())
    sum(reg(x).values()).backward()
    assert all(p.grad is not None for p in reg.parameters())


def test_checkpointing_in_a_compiled_critic_is_frozen_too() -> None:
    network = torch.compile(Checkpointed("hooks"), backend="aot_eager")
    reg, x = Critic(nn.Linear(5, 3), nn.Linear(3, 5), network), torch.randn(6, 5)
    losses = reg.split(reg(x))
    losses.autoencoder.backward()
    assert all(p.grad is None for p in network.parameters())
    losses.critic.backward()
    assert all(p.grad is not None for p in network.parameters())


def test_tensors_that_are_kept_on_the_host_are_no_checkpointing() -> None:
    network = layers()
    kept = Made(network, lambda network, x: offloaded(network, x))
    reg = Critic(nn.Linear(5, 3), nn.Linear(3, 5), kept)
    sum(reg(torch.randn(6, 5)).values()).backward()


def offloaded(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.autograd.graph.save_on_cpu():
        return network(x)
