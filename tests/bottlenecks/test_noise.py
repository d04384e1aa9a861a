"""Bottlenecks that disturb: thinned codes and noisy inputs, in training only."""

import pytest
import torch
from calls import seeded
from torch import nn

from interpreg import DenoisingBottleneck, DropoutBottleneck, Reconstruction


def test_dropout_thins_the_code_in_training_only(network, x) -> None:
    encoder = DropoutBottleneck(network, p=0.25)
    whole = network(x)
    z = seeded(encoder, x)
    torch.manual_seed(3)
    kept = torch.rand(6, 4) >= 0.25
    torch.testing.assert_close(z, whole * kept / 0.75)
    assert 0 < (~kept).sum() < kept.numel()
    assert torch.equal(encoder.eval()(x), whole)


def test_the_denoising_encoder_sees_noise_in_training_only(network, decoder, x) -> None:
    encoder = DenoisingBottleneck(network, std=0.5)
    z = seeded(encoder, x)
    torch.manual_seed(3)
    torch.testing.assert_close((z, encoder.eval()(x)), (network(x + 0.5 * torch.randn(6, 1, 8, 8)), network(x)))
    swapped = DenoisingBottleneck(network, corrupt=lambda x: -x)
    torch.testing.assert_close(swapped(x), network(-x))
    losses = seeded(Reconstruction(encoder.train(), decoder), x)
    torch.testing.assert_close(losses["reconstruction"], (decoder(z) - x).square().mean())


def test_wrong_arguments_and_corruptions_are_named() -> None:
    with pytest.raises(ValueError, match="p: expected a number below 1"):
        DropoutBottleneck(nn.Identity(), p=1)
    with pytest.raises(ValueError, match="std: expected a finite number of at least 0"):
        DenoisingBottleneck(nn.Identity(), std=-1)
    with pytest.raises(TypeError, match="corrupt: expected a module or another"):
        DenoisingBottleneck(nn.Identity(), corrupt=3)
    with pytest.raises(ValueError, match="corrupt: expected the shape of x"):
        DenoisingBottleneck(nn.Identity(), corrupt=lambda x: x[:1])(torch.randn(2, 3))
    with pytest.raises(TypeError, match="corrupt: expected a tensor, got None"):
        DenoisingBottleneck(nn.Identity(), corrupt=lambda x: None)(torch.randn(2, 3))
