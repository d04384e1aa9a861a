"""What all critics have in common: a network of their own, frozen for the other player, that somebody must update."""

import warnings
from functools import partial

import pytest
import torch
from decoders import Made
from torch import nn
from torch.utils.checkpoint import checkpoint
from zoo import Zoo

from interpreg import Critic, fresh_copy, latent_network, spectral_norm


def test_no_weight_gradient_of_the_critic_is_computed_for_the_autoencoder(encoder, decoder, x) -> None:
    """A backward through the frozen pass never reaches the critic's leaves."""
    critic = Critic(encoder, decoder)
    reached: list[str] = []
    for name, p in critic.network.named_parameters():
        p.register_hook(lambda g, name=name: reached.append(name))
    losses = critic(x)
    losses["interpolation"].backward()
    assert not reached
    losses["critic/interpolation"].backward()
    assert reached


LAYERS = {
    "linear": lambda: nn.Linear(5, 7),
    "1d": lambda: nn.Conv1d(3, 5, 3),
    "2d": lambda: nn.Conv2d(3, 5, 3),
    "3d": lambda: nn.Conv3d(3, 5, 2),
    "transposed 1d": lambda: nn.ConvTranspose1d(3, 5, 3),
    "transposed 2d": lambda: nn.ConvTranspose2d(3, 5, 3),
    "transposed 3d": lambda: nn.ConvTranspose3d(3, 5, 2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_spectral_norm_bounds_every_layer(name: str) -> None:
    """By its largest singular value, after the power iterations of 50 passes; of whichever matrix torch takes."""
    layer = LAYERS[name]()
    layer.weight.data.mul_(10)
    network = spectral_norm(nn.Sequential(layer, nn.Tanh()))
    for _ in range(50):
        weight = network[0].weight
    rows = weight.transpose(0, 1) if "transposed" in name else weight
    assert torch.linalg.matrix_norm(rows.flatten(1), 2).item() == pytest.approx(1, abs=0.01)
    assert spectral_norm(network) is network  # normalised once
    assert len(network[0].parametrizations.weight) == 1


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_spectral_norm_comes_on_top_of_a_weight_norm_and_not_on_torchs_older_hooks() -> None:
    layer = spectral_norm(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    for _ in range(50):
        weight = layer.weight
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=0.01)
    older = nn.utils.spectral_norm(nn.Linear(4, 3))
    assert spectral_norm(older) is older
    assert not torch.nn.utils.parametrize.is_parametrized(older)
    with pytest.raises(ValueError, match=r"network: expected layers whose weight is a parameter, got a Linear"):
        spectral_norm(nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3))))


@pytest.mark.fault(
    "Critics",
    "A critic has lazy layers (`nn.LazyLinear`).",
    now="they get their shapes in the first call, and train",
)
@pytest.mark.parametrize("first", ["training", "validation", "inference"])
def test_lazy_critics_get_their_shapes_in_the_first_call(encoder, decoder, x, first: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(1))
    critic = Critic(encoder, decoder, network)
    parameters = list(critic.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    if first != "training":
        with torch.inference_mode() if first == "inference" else torch.no_grad():
            critic.eval()(x)
    critic.train()
    sum(critic(x).values()).backward()
    assert network[2].num_batches_tracked == 2  # the critic's own passes, none of them to get shapes
    before = [p.detach().clone() for p in parameters]
    optimizer.step()
    assert all(p is q for p, q in zip(critic.parameters(), parameters, strict=True))
    assert not any(torch.equal(p, q) for p, q in zip(parameters, before, strict=True) if q.any())


def test_scripted_critics_and_parts_of_the_autoencoder_are_refused(encoder, decoder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own word on scripting
        network = nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(64, 1)))
    with pytest.raises(TypeError, match=r"critic: expected plain modules, got some made by torch.jit"):
        Critic(encoder, decoder, network)
    with pytest.raises(ValueError, match=r"critic: expected parameters of its own, got some of the encoder's"):
        Critic(encoder, decoder, encoder)


def test_encoders_and_decoders_may_be_what_a_critic_may_not(pair: Zoo) -> None:
    """Checkpointed and scripted, with the gradients of the plain pair."""
    critic = fresh_copy(pair.encoder)
    own = [*pair.encoder.parameters(), *pair.decoder.parameters()]
    gradients = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own word on scripting
        scripted = torch.jit.script(pair.encoder), torch.jit.script(pair.decoder)
    checkpointed = [Made(network, partial(checkpoint, use_reentrant=False)) for network in pair[:2]]
    for encoder, decoder in [pair[:2], checkpointed, scripted]:
        torch.manual_seed(1)
        losses = Critic(encoder, decoder, critic)(pair.x)
        gradients.append(torch.autograd.grad(losses["interpolation"], own))
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0])


def test_the_network_may_be_compiled(encoder, decoder, x) -> None:
    network = torch.compile(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), backend="aot_eager")
    critic = Critic(encoder, decoder, network)
    for _ in range(2):
        losses = critic(x)
        losses["interpolation"].backward(retain_graph=True)
        assert all(p.grad is None for p in critic.parameters())
        (losses["critic/interpolation"] + losses["critic/real"]).backward()
        assert all(p.grad is not None for p in critic.parameters())
        critic.zero_grad()


def test_spectral_norm_wants_a_module_whose_shapes_are_there() -> None:
    with pytest.raises(ValueError, match=r"network: expected layers whose widths are set, got lazy ones"):
        spectral_norm(latent_network())
    with pytest.raises(TypeError, match=r"network: expected an nn.Module, got a builtin_function"):
        spectral_norm(torch.relu)


class Trainer:
    """A plain object that holds all three networks."""

    def __init__(self, pair: Zoo) -> None:
        self.encoder, self.decoder, self.critic = pair.encoder, pair.decoder, fresh_copy(pair.encoder)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)


def test_what_holds_all_three_networks_shares_none(pair: Zoo) -> None:
    trainer = Trainer(pair)
    held = vars(trainer)
    for encode, decode in [
        (trainer.encode, trainer.decode),
        (lambda x: trainer.encoder(x), lambda z: trainer.decoder(z)),
        (lambda x: held["encoder"](x), lambda z: held["decoder"](z)),
    ]:
        plain = gradients(Critic(pair.encoder, pair.decoder, trainer.critic), pair)
        torch.testing.assert_close(gradients(Critic(encode, decode, trainer.critic), pair), plain, rtol=0, atol=0)
    for critic in (pair.encoder, nn.Sequential(pair.encoder)):
        with pytest.raises(ValueError, match=r"critic: expected .* parameters"):
            sum(Critic(trainer.encode, trainer.decode, critic)(pair.x).values())


def gradients(reg: Critic, pair: Zoo) -> list[torch.Tensor]:
    parameters = [p for network in (pair.encoder, pair.decoder, reg.network) for p in network.parameters()]
    torch.manual_seed(3)
    return list(torch.autograd.grad(sum(reg(pair.x).values()), parameters))
