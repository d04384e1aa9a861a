"""Denoising, dropout and sparse autoencoders, each written out straight."""

import pytest
import torch
from calls import calls
from step_for_step import agree
from torch import Tensor
from zoo import Zoo, vector_pair

from interpreg import ACAIRegularizer, DenoisingRegularizer, DropoutRegularizer, SparseRegularizer


def pair(zoo: Zoo) -> list[Tensor]:
    return [*zoo.encoder.parameters(), *zoo.decoder.parameters()]


def test_denoising_is_its_equation(zoo: Zoo) -> None:
    zoo.encoder.eval()  # some of the zoo's have dropout of their own
    torch.manual_seed(7)
    x_hat = zoo.decoder(zoo.encoder(zoo.x + 0.5 * torch.randn(zoo.x.shape)))
    reg = DenoisingRegularizer(zoo.encoder, zoo.decoder, std=0.5)
    agree(reg, zoo.x, {"denoising": ((x_hat - zoo.x) ** 2).mean()}, pair(zoo))


def test_dropout_is_its_equation(zoo: Zoo) -> None:
    zoo.encoder.eval()
    torch.manual_seed(7)
    z = zoo.encoder(zoo.x)
    kept = torch.rand(z.shape) >= 0.3
    x_hat = zoo.decoder(z * kept / 0.7)
    reg = DropoutRegularizer(zoo.encoder, zoo.decoder, p=0.3, reconstruction="l1")
    agree(reg, zoo.x, {"dropout": (x_hat - zoo.x).abs().mean()}, pair(zoo))


def test_the_published_disturbances_are_the_defaults() -> None:
    encoder, decoder, _ = vector_pair()
    assert DenoisingRegularizer(encoder, decoder).parts["denoising"].corruption.std == 1.0
    assert DropoutRegularizer(encoder, decoder).parts["dropout"].p == 0.5


def test_disturbed_reconstructions_stand_beside_acai() -> None:
    encoder, decoder, x = vector_pair()
    acai = ACAIRegularizer(encoder, decoder)
    encoded, decoded = calls(encoder), calls(decoder)
    reg = acai + DenoisingRegularizer(encoder, decoder) + DropoutRegularizer(encoder, decoder)
    losses = reg(x)
    assert (len(encoded), len(decoded)) == (2, 4)
    assert list(losses) == [
        "reconstruction", "interpolation", "critic/interpolation", "critic/real", "denoising", "dropout"
    ]  # fmt: skip
    torch.testing.assert_close(losses["reconstruction"], ((decoder(encoder(x)) - x) ** 2).mean())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in acai.parameters())


@pytest.mark.parametrize("penalty", ["l1", "kl"])
def test_the_sparse_autoencoder_is_its_equation(zoo: Zoo, penalty: str) -> None:
    zoo.encoder.eval()
    z = zoo.encoder(zoo.x)
    if penalty == "l1":
        sparsity = z.abs().sum() / z.numel()
    else:
        rho = torch.sigmoid(z).mean(0)
        units = 0.1 * torch.log(0.1 / rho) + 0.9 * torch.log(0.9 / (1 - rho))
        sparsity = units.mean()
    expected = {"reconstruction": ((zoo.decoder(z) - zoo.x) ** 2).mean(), "sparsity": 0.4 * sparsity}
    target = 0.1 if penalty == "kl" else None
    reg = SparseRegularizer(zoo.encoder, zoo.decoder, penalty=penalty, target=target, weight=0.4)
    agree(reg, zoo.x, expected, pair(zoo))


def test_without_a_reconstruction_where_the_loop_has_it() -> None:
    encoder, decoder, x = vector_pair()
    assert list(SparseRegularizer(encoder, decoder, reconstruction=None)(x)) == ["sparsity"]


@pytest.mark.parametrize("kind", [DenoisingRegularizer, DropoutRegularizer])
def test_a_reconstruction_that_is_all_there_is_cannot_be_left_out(kind) -> None:
    encoder, decoder, _ = vector_pair()
    with pytest.raises(ValueError, match=r"reconstruction loss: .* 'mse', 'l1', 'bernoulli', got None"):
        kind(encoder, decoder, reconstruction=None)
