"""Critics with activation checkpointing, which cannot be frozen in the backward, are refused; others are left alone."""

import pytest
import torch
from decoders import Made
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from interpreg import Critic
from interpreg.regularizers.frozen import Frozen


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


REFUSED = r"critic: expected a network without activation checkpointing"


class Always(nn.Module):
    """Checkpointed in every mode, once it is switched on."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.layers, self.way, self.is_on = layers(), way, True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.is_on:
            return self.layers(x)
        if self.way == "reversible":
            return Recomputed.apply(x, self.layers)
        return checkpoint(self.layers, x, use_reentrant=self.way == "reentrant")


class Recomputed(torch.autograd.Function):
    """Keeps its input alone, as reversible layers do."""

    @staticmethod
    def forward(context, x: torch.Tensor, network: nn.Module) -> torch.Tensor:
        context.save_for_backward(x)
        context.network = network
        with torch.no_grad():
            return network(x)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        x = context.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(context.network(x), gradient)
        return x.grad, None


@pytest.mark.fault(
    "Critics",
    "The critic has reversible layers, or checkpoints in eval mode or from some step on: the autoencoder's backward "
    "computes it again, unfrozen, and trains it.",
    now="`ValueError`, at training call 1, 2, 4, 8 ...",
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("way", ["reentrant", "hooks", "reversible"])
def test_critics_that_are_computed_again_are_refused_in_every_mode_and_later(way: str, training: bool) -> None:
    network, x = Always(way).train(training), torch.randn(6, 5, requires_grad=True)
    gradient = network.layers[0].weight.grad = torch.ones(5, 5)
    with pytest.raises(ValueError, match=REFUSED):
        Frozen(network)(x, None)
    assert network.layers[0].weight.grad is gradient
    assert torch.equal(gradient, torch.ones(5, 5))
    network.is_on, frozen = False, Frozen(network)
    for _ in range(5):
        frozen(x, None)
    network.is_on = True
    for _ in range(2):
        frozen(x, None)
    with pytest.raises(ValueError, match=REFUSED):
        frozen(x, None)


def test_functions_that_keep_what_they_need_are_left_alone() -> None:
    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(context, x: torch.Tensor) -> torch.Tensor:
            context.save_for_backward(x.tanh())
            return x.tanh()

        @staticmethod
        def backward(context, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * (1 - context.saved_tensors[0] ** 2)

    network = Made(nn.Linear(5, 1), lambda layer, x: layer(Tanh.apply(x)))
    reg = Critic(nn.Linear(5, 3), nn.Linear(3, 5), network)
    sum(reg(torch.randn(6, 5)).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("way", ["compile", "inner"])
def test_compiled_parts_are_not_watched(way: str, recwarn: pytest.WarningsRecorder) -> None:
    network = Made(layers(), lambda network, x: network(x))
    if way == "compile":
        network.compile(backend="aot_eager")
    else:
        network.call = torch.compile(network.call, backend="aot_eager")
    reg = Critic(nn.Linear(5, 3), nn.Linear(3, 5), network)
    sum(reg(torch.randn(6, 5)).values()).backward()
    assert not [each for each in recwarn if "Dynamo" in str(each.message)]
