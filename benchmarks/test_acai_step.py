"""A training step: plain, ACAI by the best hand-written loop, ACAI by the regularizer.

The two ACAI steps must give the same losses before either is timed. The floor, in units
of one forward pass (a backward is two), is 3 encoder + 6 decoder + 8 critic, against 3 + 3 for a plain step.
"""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from interpreg import ACAIRegularizer, fresh_copy
from interpreg.demo import networks

BATCH = 64
SETTINGS = {"8x8 width 16": (8, 16, 2), "16x16 width 8": (16, 8, 3), "32x32 width 16": (32, 16, 4)}
Step = Callable[[], list[float]]


def make(setting: str) -> tuple[nn.Module, nn.Module, nn.Module, torch.Tensor]:
    size, width, scales = SETTINGS[setting]
    torch.manual_seed(0)
    torch.set_num_threads(2)
    encoder = networks.encoder(1, width, scales, 16).to(memory_format=torch.channels_last)
    decoder = networks.decoder(1, width, scales, 16).to(memory_format=torch.channels_last)
    return encoder, decoder, fresh_copy(encoder), torch.randn(BATCH, 1, size, size)


def adam(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for m in modules for p in m.parameters()], lr=1e-4, fused=True)


def plain(setting: str) -> Step:
    encoder, decoder, _, x = make(setting)
    optimizer = adam(encoder, decoder)

    def step() -> list[float]:
        loss = mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [loss.item()]

    return step


def by_hand(setting: str) -> Step:
    """ACAI written by hand: one backward, the critic frozen in the pass of the autoencoder's loss."""
    encoder, decoder, critic, x = make(setting)
    optimizer = adam(encoder, decoder, critic)

    def step() -> list[float]:
        alpha = 0.5 - (torch.rand(BATCH) - 0.5).abs()
        z = encoder(x)
        x_hat = decoder(z)
        x_mix = decoder(torch.lerp(z.flip(0), z, alpha.view(-1, 1, 1, 1)))
        critic.requires_grad_(False)
        fooled = critic(x_mix).mean((1, 2, 3)).square().mean()
        critic.requires_grad_(True)
        losses = [
            mse_loss(x_hat, x),
            0.5 * fooled,
            (critic(x_mix.detach()).mean((1, 2, 3)) - alpha).square().mean(),
            critic(torch.lerp(x_hat, x, 0.2).detach()).mean((1, 2, 3)).square().mean(),
        ]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        return [loss.item() for loss in losses]

    return step


def by_interpreg(setting: str) -> Step:
    encoder, decoder, critic, x = make(setting)
    reg = ACAIRegularizer(encoder, decoder, critic=critic)
    optimizer = adam(encoder, decoder, reg)

    def step() -> list[float]:
        losses = reg(x)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        return [loss.item() for loss in losses.values()]

    return step


@pytest.mark.parametrize("setting", SETTINGS)
def test_gate(setting: str) -> None:
    hand, ours = by_hand(setting), by_interpreg(setting)
    for seed in range(3):
        torch.manual_seed(seed)
        expected = hand()
        torch.manual_seed(seed)
        assert ours() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("provider", [plain, by_hand, by_interpreg])
@pytest.mark.parametrize("setting", SETTINGS)
def test_step(benchmark, setting: str, provider: Callable[[str], Step]) -> None:
    benchmark.group = setting
    benchmark.pedantic(provider(setting), rounds=40, warmup_rounds=5)
