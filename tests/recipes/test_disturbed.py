"""Denoising, dropout and sparse autoencoders, each written out straight."""

import math

import pytest
import torch
from step_for_step import agree
from torch import Tensor, nn
from zoo import Zoo, vector_pair

from interpreg import (
    ACAIRegularizer,
    CodeDropout,
    Denoising,
    DenoisingRegularizer,
    DropoutRegularizer,
    SparseRegularizer,
    Sparsity,
)
from interpreg.functional import add_noise, drop_out, mean, sparsity_kl


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


@pytest.mark.parametrize("kind", [DenoisingRegularizer, DropoutRegularizer])
def test_in_eval_mode_nothing_is_disturbed(kind) -> None:
    encoder, decoder, x = vector_pair()
    (loss,) = kind(encoder, decoder).eval()(x).values()
    torch.testing.assert_close(loss, ((decoder(encoder(x)) - x) ** 2).mean())


@pytest.mark.parametrize("kind", [DenoisingRegularizer, DropoutRegularizer])
def test_a_generator_is_where_randomness_comes_from(kind) -> None:
    encoder, decoder, x = vector_pair()
    first, second = (kind(encoder, decoder, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    before = torch.get_rng_state()
    (loss,) = first(x).values()
    assert torch.equal(before, torch.get_rng_state())
    assert loss == next(iter(second(x).values()))
    assert loss != next(iter(second(x).values()))


def test_a_corruption_of_ones_own_and_its_errors() -> None:
    encoder, decoder, x = vector_pair()
    (loss,) = DenoisingRegularizer(encoder, decoder, corrupt=lambda x: x.flip(-1))(x).values()
    torch.testing.assert_close(loss, ((decoder(encoder(x.flip(-1))) - x) ** 2).mean())
    with pytest.raises(ValueError, match="corrupt: expected the shape of x"):
        DenoisingRegularizer(encoder, decoder, corrupt=lambda x: x[..., 1:])(x)


def test_masks_count_valid_positions_alone() -> None:
    class Tokens(nn.Linear):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            assert mask.shape == x.shape[:2]
            return super().forward(x)

    encoder, decoder = Tokens(5, 4), Tokens(4, 5)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    x = torch.randn(2, 3, 5)
    losses = (Denoising(encoder, decoder, std=0.0) + CodeDropout(encoder, decoder, p=0.0))(x, mask=mask)
    z = encoder(x, mask)
    expected = ((decoder(z, mask) - x)[mask] ** 2).mean()
    for loss in losses.values():
        torch.testing.assert_close(loss, expected)
    z = z[mask]
    l1, kl = Sparsity(encoder, decoder), Sparsity(encoder, decoder, penalty="kl")
    torch.testing.assert_close(l1(x, mask=mask)["sparsity"], z.abs().mean())
    torch.testing.assert_close(kl(x, mask=mask)["sparsity"], sparsity_kl(z))
    nothing = kl(x, mask=torch.zeros_like(mask))["sparsity"]
    nothing.backward()
    assert nothing == 0
    assert encoder.weight.grad.isfinite().all()


def test_disturbed_reconstructions_stand_beside_acai() -> None:
    encoder, decoder, x = vector_pair()
    acai = ACAIRegularizer(encoder, decoder)
    made: list[nn.Module] = []
    hooks = [each.register_forward_hook(lambda m, *_: made.append(m)) for each in (encoder, decoder)]
    reg = acai + DenoisingRegularizer(encoder, decoder) + DropoutRegularizer(encoder, decoder)
    losses = reg(x)
    assert (made.count(encoder), made.count(decoder)) == (2, 4)
    for hook in hooks:
        hook.remove()
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
    reg = SparseRegularizer(zoo.encoder, zoo.decoder, penalty=penalty, target=0.1, weight=0.4)
    agree(reg, zoo.x, expected, pair(zoo))


def test_a_unit_that_is_off_everywhere_is_not_lost() -> None:
    """log(mean(sigmoid(z))) of z = -200 is -200, where a sigmoid of fp32 is 0."""
    z = torch.full((8, 1), -200.0, requires_grad=True)
    loss = sparsity_kl(z, target=0.05)
    expected = 0.05 * (math.log(0.05) + 200) + 0.95 * math.log(0.95)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float32))
    loss.backward()
    torch.testing.assert_close(z.grad, torch.full((8, 1), -0.05 / 8))


def test_the_divergence_is_zero_at_the_target_and_finite_far_from_it() -> None:
    at = torch.full((5, 3), math.log(0.2 / 0.8)).double()
    assert sparsity_kl(at, target=0.2).abs() < 1e-15
    assert sparsity_kl(torch.full((5, 3), 300.0), target=0.2).isfinite()
    assert sparsity_kl(torch.randn(5), target=0.2).shape == ()


def test_without_a_reconstruction_where_the_loop_has_it() -> None:
    encoder, decoder, x = vector_pair()
    assert list(SparseRegularizer(encoder, decoder, reconstruction=None)(x)) == ["sparsity"]


def test_means_agree_with_the_shared_mean() -> None:
    z = torch.randn(3, 4)
    torch.testing.assert_close(Sparsity(nn.Identity(), nn.Identity())(z)["sparsity"], mean(z.abs()))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda e, d: DenoisingRegularizer(e, d, reconstruction=None),
            ValueError,
            "reconstruction loss: expected one",
        ),
        (
            lambda e, d: DropoutRegularizer(e, d, reconstruction=None),
            ValueError,
            "reconstruction loss: expected one of",
        ),
        (lambda e, d: DenoisingRegularizer(e, d, std="1"), TypeError, "std: expected a number, got '1'"),
        (lambda e, d: DropoutRegularizer(e, d, p=1.0), ValueError, "p: expected a number below 1"),
        (lambda e, d: SparseRegularizer(e, d, penalty="l2"), ValueError, "penalty: expected one of 'l1', 'kl'"),
        (
            lambda e, d: SparseRegularizer(e, d, target=0.0),
            ValueError,
            "target: expected a number strictly between",
        ),
        (
            lambda e, d: SparseRegularizer(e, d, target=2.0),
            ValueError,
            r"target: expected a finite number in \[0, 1\]",
        ),
        (
            lambda e, d: SparseRegularizer(e, d, weight=-1.0),
            ValueError,
            "weight: expected a finite number of at least",
        ),
        (lambda e, d: sparsity_kl(torch.ones(3).long()), TypeError, "z: expected a floating point tensor"),
        (lambda e, d: sparsity_kl(torch.ones(3, 2, 1), mask=torch.ones(3)), TypeError, "mask: expected a boolean"),
        (
            lambda e, d: add_noise(torch.ones(3), std=-1.0),
            ValueError,
            "std: expected a finite number of at least 0",
        ),
        (lambda e, d: drop_out(torch.ones(3), p=2.0), ValueError, r"p: expected a finite number in \[0, 1\]"),
    ],
)
def test_bad_arguments(make, error: type[Exception], message: str) -> None:
    encoder, decoder, _ = vector_pair()
    with pytest.raises(error, match=message):
        make(encoder, decoder)
