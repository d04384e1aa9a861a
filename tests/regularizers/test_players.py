"""One look at the graph: a leak between the players is an error in the first training call, before any backward."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from interpreg import (
    ACAIRegularizer,
    Adaptive,
    Adversary,
    Critic,
    LatentCritic,
    MMDPrior,
    Ramp,
    Regularizer,
    Term,
    fresh_copy,
)
from interpreg.bottlenecks import GaussianBottleneck

LEAK = "critic: expected terms of the critic and of the autoencoder to train different parameters, got "


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), nn.Linear(3, 6)


class Listed(nn.Module):
    """A registered head on layers that are kept in a plain list, or on a tensor that is."""

    def __init__(self, layers: list[nn.Module], tensors: tuple[Tensor, ...] = ()) -> None:
        super().__init__()
        self.head, self.layers, self.tensors = nn.Linear(6, 1), (layers,), tensors

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[0]:
            x = layer(x)
        for tensor in self.tensors:
            x = x * tensor
        return self.head(x)


class Unfrozen(Adversary):
    """A user's term that calls the network itself."""

    name = "unfrozen"

    def terms(self, batch):
        return {
            "unfrozen": Term(lambda: self.network(batch.x_hat).square().mean(), self.weight),
            "critic/real": Term(lambda: self.call_detached(batch.x).square().mean(), self.critic_weight),
        }


class Attached(Adversary):
    """A user's term of the critic that is of images with a graph."""

    name = "attached"

    def terms(self, batch):
        return {
            "attached": Term(lambda: self.call_frozen(batch.x_hat).square().mean(), self.weight),
            "critic/fake": Term(lambda: self.network(batch.x_hat).square().mean(), self.critic_weight),
        }


def leaking(kind: str, encoder: nn.Module, decoder: nn.Module) -> Regularizer:
    scale = torch.ones(6, requires_grad=True)
    return {
        "a list of layers": lambda: Critic(encoder, decoder, Listed([nn.Linear(6, 6)])),
        "a list of tensors": lambda: Critic(encoder, decoder, Listed([], (scale,))),
        "a function around the encoder": lambda: Critic(
            encoder, decoder, Listed([lambda x: x + encoder(x).mean(1, keepdim=True)])
        ),
        "a function around the decoder": lambda: LatentCritic(
            encoder, decoder, nn.Sequential(Around(decoder), nn.Linear(6, 1))
        ),
        "not frozen": lambda: Unfrozen(encoder, decoder, nn.Linear(6, 1), weight=1.0),
        "not detached": lambda: Attached(encoder, decoder, nn.Linear(6, 1), weight=1.0),
    }[kind]()


class Around(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.networks = (network,)

    def forward(self, z: Tensor) -> Tensor:
        return self.networks[0](z)


@pytest.mark.fault(
    "Critics",
    "The critic keeps parameters in a plain list, calls a module of the encoder, or is one: each player's losses train "
    "the other.",
    now="`ValueError` in the first training call, with the terms",
)
@pytest.mark.parametrize("in_sum", [False, True])
@pytest.mark.parametrize("kind", [
    "a list of layers", "a list of tensors", "a function around the encoder", "a function around the decoder",
    "not frozen", "not detached",
])  # fmt: skip
def test_a_leak_is_an_error_before_the_first_backward(pair, kind: str, in_sum: bool) -> None:
    reg = leaking(kind, *pair)
    if in_sum:
        reg = MMDPrior(*pair) + reg
    with pytest.raises(ValueError, match=LEAK):
        reg(torch.randn(5, 6))


def test_a_leak_is_found_when_its_weight_begins(pair) -> None:
    reg = leaking("a list of layers", *pair)
    reg.weight = reg.critic_weight = Ramp(1.0, start=3)
    reg = ACAIRegularizer(*pair) + reg
    for _ in range(3):
        reg(torch.randn(5, 6))
    with pytest.raises(
        ValueError, match=rf"{LEAK}a tensor that is no.* by 'interpolation_2', 'critic/interpolation_2'"
    ):
        reg(torch.randn(5, 6))
    reg = leaking("not frozen", *pair)
    reg.critic_weight = 0.0  # the critic is trained elsewhere
    with pytest.raises(ValueError, match=rf"{LEAK}a parameter of the critic, .* by 'unfrozen'"):
        reg(torch.randn(5, 6))


def test_one_object_with_all_three_networks_is_fine(pair) -> None:
    """Bound methods of a module that holds the critic too: the graph tells that they share nothing."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = pair
            self.critic = fresh_copy(self.encoder)

        def encode(self, x: Tensor) -> Tensor:
            return self.encoder(x)

        def decode(self, z: Tensor) -> Tensor:
            return self.decoder(z)

    model = Model()
    reg = Critic(model.encode, model.decode, critic=model.critic)
    sum(reg(torch.randn(5, 6)).values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    for network in (model, nn.Sequential(model)):
        with pytest.raises(ValueError, match=r"critic: expected parameters of its own, got some of the encoder's"):
            Critic(model.encode, model.decode, critic=network)
    with pytest.raises(ValueError, match=rf"{LEAK}a parameter of the critic and the encoder"):
        Critic(model.encode, model.decode, critic=model.encoder)(torch.randn(5, 6))
    with pytest.raises(TypeError, match=r"^at: expected a decoder with a trained layer, or the parameter"):
        Critic(
            model.encode, model.decode, critic=model.critic, weight=Adaptive()
        )  # whose last layer is the critic's


class Ungraded(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.linear, self.way = nn.Linear(6, 1), way

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "detach":
            return self.linear(x).detach()
        with torch.no_grad():
            return self.linear(x)


@pytest.mark.fault(
    "Critics", "The critic runs under `no_grad`, or detaches its output, and never trains.",
    now="`ValueError` in the first training call",
)  # fmt: skip
@pytest.mark.parametrize("way", ["detach", "no_grad"])
def test_a_critic_without_gradients_is_an_error(pair, way: str) -> None:
    reg = Critic(*pair, Ungraded(way))
    with torch.no_grad():
        reg(torch.randn(5, 6))
    reg.eval()(torch.randn(5, 6))
    with pytest.raises(ValueError, match=r"critic: expected an output that depends on its parameters"):
        reg.train()(torch.randn(5, 6))


def test_a_loop_that_switches_the_critic_off_in_turn_is_fine(pair) -> None:
    reg = Critic(*pair)
    for train in (False, True, False):
        reg.requires_grad_(train)
        sum(reg(torch.randn(5, 6)).values()).backward()
    assert all(p.grad is not None for p in reg.parameters())


def test_parameters_without_use_are_named_once(pair) -> None:
    class Headed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.head = nn.Linear(6, 1), nn.Linear(6, 9)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(x)

    reg = Critic(*pair, Headed(), critic_weight=Ramp(1.0, start=3))

    def train() -> None:
        for _ in range(40):
            reg(torch.randn(5, 6))

    with pytest.warns(UserWarning, match=r"'head.bias' and 1 more parameters are reached by none") as caught:
        train()
    assert [warning.filename for warning in caught] == [__file__]
    reg.critic.get_parameter("head.bias").requires_grad_(False)


def test_layers_that_are_skipped_at_random_are_no_reason(pair) -> None:
    class Skipping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.calls = nn.ModuleList(nn.Linear(6, 6) for _ in range(3)), 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            for i, layer in enumerate(self.layers):
                if (self.calls + i) % 3:
                    x = layer(x)
            return x

    reg = Critic(*pair, Skipping(), gamma=1.0)
    for _ in range(40):
        reg(torch.randn(5, 6))


def test_a_copied_bottleneck_has_idle_parts_and_no_warning(pair) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.log_variance = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.mean(x), self.log_variance(x)

    reg = Critic(GaussianBottleneck(Two()), pair[1])
    for _ in range(20):
        reg(torch.randn(5, 6))


@pytest.mark.fault(
    "Critics", "Inside `parametrize.cached()` a critic with spectral norm gets no gradient from its own losses.",
    now="the gradients of an uncached call",
)  # fmt: skip
def test_cached_parametrizations_do_not_leave_the_frozen_pass(pair) -> None:
    network = nn.Sequential(parametrizations.orthogonal(nn.Linear(6, 6)), nn.Tanh(), nn.Linear(6, 1))
    reg, x = Critic(*pair, network), torch.randn(5, 6)
    gradients = []
    for cached in (False, True):
        torch.manual_seed(1)
        if cached:
            with parametrize.cached():
                losses = reg(x)
                reg.split(losses).critic.backward()
        else:
            losses = reg(x)
            reg.split(losses).critic.backward()
        gradients.append([p.grad for p in network.parameters()])
        reg.split(losses).autoencoder.backward()
        assert all(p.grad is g for p, g in zip(network.parameters(), gradients[-1], strict=True))
        network.zero_grad()
    torch.testing.assert_close(gradients[1], gradients[0])


def test_codes_made_without_gradients_and_images_with_them_are_fine(pair) -> None:
    encoder, decoder = pair
    x = torch.randn(5, 6, requires_grad=True)
    with torch.no_grad():
        z = encoder(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a word on codes without gradients would be about something else
        Critic(encoder, decoder)(x, z=z)
        Critic(encoder, decoder)(x)


def test_losses_that_are_compiled_in_pieces_are_not_suspected(pair) -> None:
    """One compiled piece may hold operations of both players; its gradients are right."""

    class Breaking(Regularizer):
        name = "breaking"

        def terms(self, batch):
            torch._dynamo.graph_break()
            return {"breaking": Term(lambda: batch.x_hat.square().mean(), 1.0)}

    reg, x = Critic(*pair) + Breaking(*pair), torch.randn(5, 6)
    gradients = []
    for call in (reg, torch.compile(reg, backend="aot_eager")):
        torch.manual_seed(0)
        sum(call(x).values()).backward()
        gradients.append([p.grad.clone() for each in (*pair, reg) for p in each.parameters()])
        for each in (*pair, reg):
            each.zero_grad()
    torch.testing.assert_close(gradients[1], gradients[0])
    network = nn.Sequential(parametrizations.orthogonal(nn.Linear(6, 6)), nn.Linear(6, 1))
    reg = torch.compile(Critic(*pair, network), backend="aot_eager")
    with parametrize.cached():
        losses = reg(x)
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in network.parameters())
