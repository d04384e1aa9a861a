"""Recipes against their papers, written out step by step in plain torch."""

import copy

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from zoo import PAIRS, Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, Players
from interpreg.needs import DEFAULT


def straight_acai(
    encoder: nn.Module, decoder: nn.Module, critic: nn.Module, x: Tensor, weight: float = 0.5, gamma: float = 0.2
) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
    """ACAI as its paper's eqs 1 and 2 say: a loss for each player, and each player's gradients."""
    u = torch.rand(len(x))
    alpha = 0.5 - (u - 0.5).abs()
    z = encoder(x)
    column = alpha.reshape(-1, *[1] * (z.dim() - 1))
    x_hat = decoder(z)
    x_mix = decoder(column * z + (1 - column) * torch.flip(z, [0]))

    def judge(image: Tensor) -> Tensor:
        return critic(image).flatten(1).mean(dim=1)

    losses = {
        "reconstruction": ((x_hat - x) ** 2).mean(),
        "interpolation": weight * (judge(x_mix) ** 2).mean(),
        "critic/interpolation": ((judge(x_mix.detach()) - alpha) ** 2).mean(),
        "critic/real": (judge((gamma * x + (1 - gamma) * x_hat).detach()) ** 2).mean(),
    }
    pair = [*encoder.parameters(), *decoder.parameters()]
    gradients = {
        "pair": torch.autograd.grad(losses["reconstruction"] + losses["interpolation"], pair, retain_graph=True),
        "critic": torch.autograd.grad(
            losses["critic/interpolation"] + losses["critic/real"], list(critic.parameters())
        ),
    }
    return losses, gradients


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair])
@pytest.mark.parametrize(("weight", "gamma"), [(0.5, 0.2), (2.0, 0.0), (0.1, 1.0)])
def test_acai_is_the_paper_step_for_step(make_pair, weight: float, gamma: float) -> None:
    encoder, decoder, x = make_pair()
    reg = ACAIRegularizer(encoder, decoder, weight=weight, gamma=gamma)
    torch.manual_seed(7)
    expected, gradients = straight_acai(encoder, decoder, reg.critic, x, weight, gamma)
    torch.manual_seed(7)
    losses = reg(x)
    sum(losses.values()).backward()
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])
    pair = [*encoder.parameters(), *decoder.parameters()]
    for p, g in zip(pair, gradients["pair"], strict=True):
        torch.testing.assert_close(p.grad, g)
    for p, g in zip(reg.critic.parameters(), gradients["critic"], strict=True):
        torch.testing.assert_close(p.grad, g)


def test_acai_has_the_papers_defaults() -> None:
    encoder, decoder, _ = vector_pair()
    reg = ACAIRegularizer(encoder, decoder)
    assert (reg.game.weight, reg.game.gamma, reg.game.critic_weight) == (0.5, 0.2, 1.0)
    assert (reg.game.loss, reg.game.judge) == ("regression", "mean")
    assert reg.game.interpolator is None  # the default, which terms of a sum share
    assert (DEFAULT.alpha_range, DEFAULT.pairing) == ((0.0, 0.5), "reverse")


def test_the_networks_are_called_exactly_as_often_as_the_floor_says(zoo: Zoo) -> None:
    reg = ACAIRegularizer(zoo.encoder, zoo.decoder)
    encoder, decoder, critic = calls(zoo.encoder), calls(zoo.decoder), calls(reg.critic)
    z = zoo.encoder(zoo.x)
    x_hat = zoo.decoder(z)
    encoder.clear(), decoder.clear()
    reg(zoo.x)
    assert (len(encoder), len(decoder), len(critic)) == (1, 2, 3)
    reg(zoo.x, z=z)
    assert (len(encoder), len(decoder), len(critic)) == (1, 4, 6)
    reg(zoo.x, z=z, x_hat=x_hat)
    assert (len(encoder), len(decoder), len(critic)) == (1, 5, 9)


def test_reconstruction_may_be_left_to_the_loop(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder, reconstruction=None)
    assert list(reg(pair.x)) == ["interpolation", "critic/interpolation", "critic/real"]
    full = ACAIRegularizer(pair.encoder, pair.decoder)
    full.load_state_dict(reg.state_dict())  # the same names, with or without


def test_one_optimizer_or_two_make_no_difference(pair: Zoo) -> None:
    """Plain gradient descent, so that an optimizer's state does not blur the picture."""
    results = []
    for two in (False, True):
        encoder, decoder = copy.deepcopy(pair.encoder), copy.deepcopy(pair.decoder)
        torch.manual_seed(1)
        reg = ACAIRegularizer(encoder, decoder)
        own, critics = [*encoder.parameters(), *decoder.parameters()], list(reg.parameters())
        groups = [own, critics] if two else [[*own, *critics]]
        optimizers = [torch.optim.SGD(group, lr=0.1) for group in groups]
        reg.check_optimizers(*optimizers)
        for _ in range(5):
            losses = reg(pair.x)
            for optimizer in optimizers:
                optimizer.zero_grad()
            if two:
                players = reg.split(losses)
                assert isinstance(players, Players)
                players.autoencoder.backward()
                players.critic.backward()
            else:
                sum(losses.values()).backward()
            for optimizer in optimizers:
                optimizer.step()
        results.append([p.detach().clone() for p in [*own, *critics]])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.fault(
    "Critics",
    "Several losses and one `GradScaler`: unscaled twice, or not at all (neosr-project/neosr PR#50).",
    now="one backward, one scaler",
)
@pytest.mark.parametrize("name", PAIRS)
def test_two_lines_in_an_existing_loop_with_adamw_amp_and_accumulation(name: str) -> None:
    encoder, decoder, x = PAIRS[name]()
    reg = ACAIRegularizer(encoder, decoder, reconstruction=None)  # line one
    model = nn.Sequential(encoder, decoder)
    optimizer = torch.optim.AdamW([*model.parameters(), *reg.parameters()], lr=1e-3)
    scaler = torch.amp.GradScaler("cpu")
    before = [p.detach().clone() for p in [*model.parameters(), *reg.parameters()]]
    for step in range(4):
        with torch.autocast("cpu", torch.bfloat16):
            z = encoder(x)
            x_hat = decoder(z)
            loss = nn.functional.l1_loss(x_hat.float(), x)
            loss = loss + sum(reg(x, z=z, x_hat=x_hat).values())  # line two
        scaler.scale(loss / 2).backward()
        if step % 2 == 1:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    after = [*model.parameters(), *reg.parameters()]
    assert all(p.isfinite().all() for p in after)
    moved = [not torch.equal(p, q) for p, q in zip(after, before, strict=True)]
    assert all(moved)


@pytest.mark.fault(
    "Critics",
    "The autoencoder is stepped before the critic's backward: an in-place error, or `retain_graph` to hide it.",
    now="the losses share no graph, so the order is yours",
)
def test_the_autoencoder_may_step_before_the_critics_backward(pair: Zoo) -> None:
    encoder, decoder, x = pair
    reg = ACAIRegularizer(encoder, decoder)
    torch.manual_seed(1)
    together = reg.split(reg(x))
    expected = torch.autograd.grad(together.critic, list(reg.parameters()))
    torch.manual_seed(1)
    players = reg.split(reg(x))
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
    players.autoencoder.backward()
    optimizer.step()
    players.critic.backward()
    torch.testing.assert_close([p.grad for p in reg.parameters()], list(expected))


def test_each_player_gets_better_at_its_own_game() -> None:
    """The identity's interpolants are cross-fades: a critic learns their coefficient, then an encoder fools it."""
    x = nn.functional.one_hot(torch.arange(64) % 8, 8).float() * 2 - 1
    encoder, decoder = nn.Linear(8, 8), nn.Identity()
    nn.init.eye_(encoder.weight)
    nn.init.zeros_(encoder.bias)
    critic = nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    reg = ACAIRegularizer(encoder, decoder, critic=critic, judge="logit", reconstruction=None)

    def play(optimizer: torch.optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            losses = reg(x[torch.randperm(64)])
            encoder.zero_grad()
            reg.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()

    play(torch.optim.Adam(reg.parameters(), lr=1e-2), steps=300)
    # 1/48 is the error of a critic that always answers 1/4, the mean coefficient
    assert reg.unweighted["critic/interpolation"] < 0.5 / 48
    told = reg.unweighted["interpolation"]
    play(torch.optim.Adam(encoder.parameters(), lr=1e-2), steps=100)
    assert reg.unweighted["interpolation"] < 0.25 * told
