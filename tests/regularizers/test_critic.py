"""The game: how judgements are read, what is frozen, when terms count, and what is refused."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from zoo import PAIRS, Zoo, batch_norm_pair, convolutional_pair, vector_pair

from interpreg import Critic, Interpolator, Ramp, Reconstruction, fresh_copy
from interpreg import spectral_norm as normalised


class Constant(nn.Module):
    """A critic that always says the same."""

    def __init__(self, value: float, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), *self.shape)


FIXED = Interpolator(alpha_range=(0.2999999, 0.3))  # a coefficient of 0.3, to float32's last digits


@pytest.mark.parametrize(
    ("loss", "fool", "on_mix", "on_real"),
    [
        ("regression", 0.7**2, (0.7 - 0.3) ** 2, 0.7**2),
        ("bce", math.log(1 + math.exp(-0.7)), math.log(1 + math.exp(0.7)), math.log(1 + math.exp(-0.7))),
        ("hinge", -0.7, 1.7, 0.3),
    ],
)
@pytest.mark.parametrize(("judge", "shape"), [("mean", (4, 2)), ("logit", ()), ("logit", (1,)), ("code", (4,))])
def test_terms_of_a_critic_whose_word_is_known(
    pair: Zoo, loss: str, fool: float, on_mix: float, on_real: float, judge: str, shape: tuple[int, ...]
) -> None:
    critic = Critic(
        pair.encoder, pair.decoder, Constant(0.7, shape), interpolator=FIXED, loss=loss, judge=judge, weight=1.0
    )
    losses = critic(pair.x)
    assert losses["interpolation"].item() == pytest.approx(fool, rel=1e-5)
    assert losses["critic/interpolation"].item() == pytest.approx(on_mix, rel=1e-5)
    assert losses["critic/real"].item() == pytest.approx(on_real, rel=1e-5)


def test_the_critic_sees_the_blend_that_gamma_asks_for(pair: Zoo) -> None:
    seen: list[torch.Tensor] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    network.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    Critic(pair.encoder, pair.decoder, network, gamma=0.25)(pair.x)
    x_hat = pair.decoder(pair.encoder(pair.x))
    torch.testing.assert_close(seen[2], 0.25 * pair.x + 0.75 * x_hat)
    assert not seen[1].requires_grad
    assert not seen[2].requires_grad


def test_without_a_blend_reconstructions_are_not_even_decoded(pair: Zoo) -> None:
    decoded: list[int] = []
    pair.decoder.register_forward_hook(lambda *_: decoded.append(1))
    Critic(pair.encoder, pair.decoder, gamma=1.0)(pair.x)
    assert len(decoded) == 1


def test_no_weight_gradient_of_the_critic_is_computed_for_the_autoencoder(pair: Zoo) -> None:
    """A backward through the frozen pass never reaches the critic's leaves."""
    critic = Critic(pair.encoder, pair.decoder)
    reached: list[str] = []
    for name, p in critic.network.named_parameters():
        p.register_hook(lambda g, name=name: reached.append(name))
    losses = critic(pair.x)
    losses["interpolation"].backward()
    assert not reached
    losses["critic/interpolation"].backward()
    assert reached


def test_the_frozen_pass_leaves_batch_statistics_alone() -> None:
    encoder, decoder, x = batch_norm_pair()
    critic = Critic(encoder, decoder)
    twin = fresh_copy(encoder)
    twin.load_state_dict(critic.network.state_dict())
    torch.manual_seed(3)
    critic(x)
    counted = critic.network[1].num_batches_tracked
    assert counted == 2  # the critic's own two passes, not the autoencoder's third


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_spectral_norm_bounds_every_layer(spectral_norm: bool) -> None:
    encoder, decoder, x = convolutional_pair()
    network = fresh_copy(encoder)
    critic = Critic(encoder, decoder, normalised(network) if spectral_norm else network)
    for p in critic.parameters():
        p.data.mul_(10)
    for _ in range(50):  # power iterations
        critic(x)
    norms = [torch.linalg.matrix_norm(m.weight.flatten(1), 2) for m in critic.network if isinstance(m, nn.Conv2d)]
    assert all((norm < 1.01) == spectral_norm for norm in norms)
    assert not any("parametrizations" in name for name, _ in encoder.named_parameters())


def test_schedules_are_separate_and_counted_in_a_buffer(pair: Zoo) -> None:
    critic = Critic(
        pair.encoder, pair.decoder, weight=Ramp(2.0, start=4, over=4), critic_weight=Ramp(1.0, start=2)
    )
    own, critics = [], []
    for _ in range(10):
        losses = critic(pair.x)
        for name, weights in (("interpolation", own), ("critic/real", critics)):
            weights.append(float(critic.weights[name]))
            torch.testing.assert_close(losses[name].detach(), critic.unweighted[name] * weights[-1])
    assert own == pytest.approx([0, 0, 0, 0, 0, 0.5, 1, 1.5, 2, 2])
    assert critics == [0, 0] + [1] * 8
    assert critic.state_dict()["step"] == 10


def test_a_critic_that_nobody_updates_is_called_out(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    optimizer = torch.optim.Adam(pair.encoder.parameters())
    with pytest.raises(ValueError, match=r"optimizers: expected every parameter of Critic, but 4 are in none"):
        critic.check_optimizers(optimizer)

    def train(calls: int) -> None:
        for _ in range(calls):
            sum(critic(pair.x).values()).backward()
            optimizer.step()
            optimizer.zero_grad()

    train(100)
    with pytest.warns(UserWarning, match="the critic has had gradients for 100 training calls and is not updated"):
        train(10)
    train(300)  # once is enough


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}])
@pytest.mark.parametrize("every", [1, 8])
def test_a_critic_that_is_updated_is_not_called_out(pair: Zoo, options: dict[str, bool], every: int) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    optimizer = torch.optim.Adam([*pair.encoder.parameters(), *critic.parameters()], **options)
    critic.check_optimizers(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(250):
            sum(critic(pair.x).values()).backward()
            if step % every == every - 1:
                optimizer.step()
                optimizer.zero_grad(set_to_none=False)


def test_calls_without_a_backward_accuse_nobody(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(250):
            critic(pair.x)


@pytest.mark.parametrize(
    ("network", "judge", "message"),
    [
        (nn.Flatten(), "mean", r"critic: expected parameters to train, got a network that has none"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
            "logit",
            r"critic: expected one logit a sample .*\(6, 3\)",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
            "code",
            r"critic: expected the shape of the code .*\(6, 4\)",
        ),
        (
            nn.Sequential(nn.Linear(8, 8), nn.Flatten(0, 2)),
            "mean",
            r"critic: expected a batch of 6 samples",
        ),
        (nn.GRU(8, 3), "mean", r"critic: expected a tensor, got a tuple of length 2"),
    ],
)
def test_a_critic_that_does_not_fit_is_refused(pair: Zoo, network: nn.Module, judge: str, message: str) -> None:
    x = pair.x
    encoder, decoder = pair.encoder, pair.decoder
    if isinstance(network, nn.GRU):
        encoder, decoder, x = nn.Linear(8, 4), nn.Linear(4, 8), torch.randn(6, 8)
    with pytest.raises((TypeError, ValueError), match=message):
        Critic(encoder, decoder, network, judge=judge)(x)


def test_a_scripted_critic_is_refused(pair: Zoo) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own word on scripting
        network = nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(64, 1)))
    with pytest.raises(TypeError, match=r"critic: expected plain modules, got some made by torch.jit"):
        Critic(pair.encoder, pair.decoder, network)


class Checkpointed(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return checkpoint(self.module, x, use_reentrant=False)


def test_encoders_and_decoders_may_be_what_a_critic_may_not(pair: Zoo) -> None:
    """Checkpointed and scripted, with the gradients of the plain pair."""
    critic = fresh_copy(pair.encoder)
    own = [*pair.encoder.parameters(), *pair.decoder.parameters()]
    gradients = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own word on scripting
        scripted = torch.jit.script(pair.encoder), torch.jit.script(pair.decoder)
    for encoder, decoder in [pair[:2], (Checkpointed(pair.encoder), Checkpointed(pair.decoder)), scripted]:
        torch.manual_seed(1)
        losses = Critic(encoder, decoder, critic)(pair.x)
        gradients.append(torch.autograd.grad(losses["interpolation"], own))
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0])


def test_a_critic_cannot_be_a_part_of_the_autoencoder(pair: Zoo) -> None:
    with pytest.raises(ValueError, match=r"critic: expected parameters of its own, got some of the encoder's"):
        Critic(pair.encoder, pair.decoder, pair.encoder)


def test_a_batch_too_small_is_refused_before_anything_moves() -> None:
    encoder, decoder, x = batch_norm_pair(1)
    critic = Critic(encoder, decoder)
    for reg in (critic, Reconstruction(encoder, decoder) + critic):
        with pytest.raises(ValueError, match=r"x: expected a batch of at least 2 samples"):
            reg(x)
        assert critic.step == 0
        assert encoder[1].num_batches_tracked == 0
        assert not reg.unweighted


def test_a_batch_of_one_is_enough_for_partners_from_the_prior() -> None:
    encoder, decoder, x = vector_pair(1)
    losses = Critic(encoder, decoder, interpolator=Interpolator(pairing="prior"))(x)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("name", PAIRS)
def test_multidimensional_coefficients_meet_a_code_shaped_critic(name: str) -> None:
    encoder, decoder, x = PAIRS[name]()
    critic = Critic(encoder, decoder, judge="code", interpolator=Interpolator(kind="multidimensional"))
    assert critic(x)["critic/interpolation"].isfinite()


def test_the_network_may_be_compiled(pair: Zoo) -> None:
    network = torch.compile(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), backend="aot_eager")
    critic = Critic(pair.encoder, pair.decoder, network)
    for _ in range(2):
        losses = critic(pair.x)
        losses["interpolation"].backward(retain_graph=True)
        assert all(p.grad is None for p in critic.parameters())
        (losses["critic/interpolation"] + losses["critic/real"]).backward()
        assert all(p.grad is not None for p in critic.parameters())
        critic.zero_grad()
