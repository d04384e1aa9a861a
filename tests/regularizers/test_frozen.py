"""The frozen pass against ``torch.func.functional_call`` with detached parameters, its slower twin."""

import threading
from collections.abc import Callable

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


class Repeated(nn.Module):
    """One block three times, one layer by two paths, one parameter in two layers and under two names of one."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(5, 5), nn.Tanh())
        self.blocks = nn.ModuleList([self.block] * 3)
        self.first = nn.Linear(5, 5)
        self.net = nn.Sequential(self.first, nn.Tanh(), nn.Linear(5, 5))
        self.net[2].weight = self.first.weight
        self.again = self.first.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return self.net(x) + self.again


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
    "repeated": Repeated,
    "counting": Counting,
    "recurrent": lambda: Made(nn.GRU(5, 5, batch_first=True), lambda gru, x: gru(x[:, None])[0][:, 0]),
    "batch norm": lambda: nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5)),
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(5, 5))),
    "orthogonal": lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(5, 5))),
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
    other = NETWORKS[name]().train(training)  # functional_call loses the parameters of a layer under two names
    expected = functional_call(other, detached | {key: b.clone() for key, b in buffers.items()}, (twin,))
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


@pytest.mark.fault(
    "Critics",
    "One layer of the critic has two names, as a block that is repeated: after `torch.compile` its parameters are "
    "plain tensors and never train again.",
    now="the gradients of plain calls",
)
@pytest.mark.parametrize("fullgraph", [True, False])
@pytest.mark.parametrize("make", [Shared, Repeated])
def test_layers_under_two_names_train_in_compiled_code(make: Callable[[], nn.Module], fullgraph: bool) -> None:
    torch.manual_seed(0)
    encoder, decoder, network, x = nn.Linear(5, 3), nn.Linear(3, 5), make(), torch.randn(6, 5)
    reg = Critic(encoder, decoder, network)
    before, gradients = list(network.named_parameters(remove_duplicate=False)), []
    for call in (reg, torch.compile(reg, backend="aot_eager", fullgraph=fullgraph)):
        for _ in range(2):
            torch.manual_seed(1)
            sum(call(x).values()).backward()
        for (name, p), (known, q) in zip(network.named_parameters(remove_duplicate=False), before, strict=True):
            assert name == known
            assert p is q
        gradients.append([p.grad.clone() for each in (network, encoder, decoder) for p in each.parameters()])
        for each in (network, encoder, decoder):
            each.zero_grad()
    torch.testing.assert_close(gradients[1], gradients[0])


def _assigned(network: nn.Module) -> None:
    network.load_state_dict({k: v.clone() for k, v in network.state_dict().items()}, assign=True)


def _swapped(network: nn.Module) -> None:
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        network.double().float()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "loaded": lambda n: n.load_state_dict(Repeated().state_dict()),
    "assigned": _assigned,
    "moved": lambda n: n.double().float(),
    "swapped tensors": _swapped,
    "parametrized": lambda n: parametrizations.weight_norm(n.block[0]),
    "pruned": lambda n: prune.random_unstructured(n.first, "weight", 0.3),
    "pruned for good": lambda n: prune.remove(prune.random_unstructured(n.first, "weight", 0.3), "weight"),
    "another layer": lambda n: n.net.__setitem__(2, nn.Linear(5, 5)),
    "another shared layer": lambda n: n.block.__setitem__(0, nn.Linear(5, 5)),
    "another parameter": lambda n: n.first.register_parameter("bias", nn.Parameter(torch.ones(5))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_critic_that_was_changed_is_frozen_as_it_is_now(name: str) -> None:
    network, x = Repeated(), torch.randn(6, 5)
    frozen = Frozen(network)
    for _ in range(2):
        frozen(x, None)
    CHANGES[name](network)
    parameters = list(network.named_parameters(remove_duplicate=False))
    own = x.clone().requires_grad_()
    output = frozen(own, None)
    torch.testing.assert_close(output, network(x))
    output.sum().backward()
    after = list(network.named_parameters(remove_duplicate=False))
    assert all(a is b for (_, a), (_, b) in zip(parameters, after, strict=True))
    assert all(p.grad is None for _, p in after)
    network(x).sum().backward()
    assert all(p.grad is not None for _, p in after)


@pytest.mark.fault(
    "Critics",
    "A second thread, of a validation or of logging, calls the regularizer while the first trains: gradients of the "
    "critic are missing, its parameters may be lost.",
    now="one call at a time, with all gradients",
)
def test_threads_take_turns() -> None:
    encoder, decoder, network, x = nn.Linear(5, 3), nn.Linear(3, 5), NETWORKS["linear"](), torch.randn(6, 5)
    reg, stop, before = Critic(encoder, decoder, network), threading.Event(), list(network.parameters())

    def validate() -> None:
        with torch.no_grad():
            while not stop.is_set():
                reg(x)

    thread = threading.Thread(target=validate)
    thread.start()
    try:
        missing = 0
        for _ in range(100):
            reg.split(reg(x)).critic.backward()
            missing += sum(p.grad is None for p in before)
            reg.zero_grad()
    finally:
        stop.set()
        thread.join()
    assert missing == 0
    assert all(a is b for a, b in zip(network.parameters(), before, strict=True))


class Read(nn.Module):
    """Uses the running statistics of its normalisation, by itself or by a hook."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.norm, self.way = nn.Linear(5, 5), nn.BatchNorm1d(5), way
        if way == "hook":
            self.norm.register_forward_hook(lambda norm, _, output: output + norm.running_mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(x))
        return x if self.way == "hook" else x + self.norm.running_var


@pytest.mark.parametrize("way", ["hook", "itself"])
def test_running_statistics_are_there_to_be_read(way: str) -> None:
    network, x = Read(way), torch.randn(6, 5)
    buffers = [buffer.clone() for buffer in network.buffers()]
    frozen = Frozen(network)(x, None)
    torch.testing.assert_close(list(network.buffers()), buffers)
    torch.testing.assert_close(frozen, network(x))


def test_layers_made_at_the_first_call_are_named() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = None, nn.Linear(5, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.layer is None:
                self.layer = nn.Linear(x.shape[1], 5)
                self.register_buffer("places", torch.arange(5.0))
            return self.head(self.layer(x) + self.places)

    network, x = Late(), torch.randn(6, 5)
    with pytest.raises(
        ValueError, match=r"expected all parameters before its first call, got 'layer.weight' made in"
    ):
        Critic(nn.Linear(5, 3), nn.Linear(3, 5), network)(x)
    sum(Critic(nn.Linear(5, 3), nn.Linear(3, 5), network)(x).values()).backward()
    assert all(p.grad is not None for p in network.parameters())
