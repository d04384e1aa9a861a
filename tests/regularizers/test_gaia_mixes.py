"""How GAIA mixes codes: the laws of its coefficients, and who is mixed with whom."""

import pytest
import torch
from calls import seeded
from scipy import stats
from sequences import valid
from torch import Tensor, nn

from interpreg import Batch
from interpreg.regularizers.gaia_mixes import DirichletMix, HalfBatchMix


def codes(z: Tensor, mask: Tensor | None = None) -> Batch:
    """A batch with these codes."""
    return Batch(z, nn.Identity(), nn.Identity(), z=z, mask=mask)


def weights_of(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The weights of one draw, ``[mixes, codes]``: mixes of unit vectors."""
    return DirichletMix().mixed(codes(torch.eye(count, dtype=dtype))).z_mix


def test_weights_of_a_whole_batch_are_the_dirichlets() -> None:
    """B = 64, where most chi-squared draws are smaller than any float32."""
    count = 64
    a = 1 / (2 * count)
    weights = torch.cat([weights_of(count) for _ in range(60)])
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    # Dirichlet(a, ..., a): E sum w^2 = (a + 1) / (B a + 1)
    squares = weights.square().sum(1)
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - (a + 1) / (count * a + 1)) < 4 * error
    chi = stats.chi2(1 / 2).rvs((20_000, 2), random_state=0)  # two draws, as B = 2: enough for no underflow
    own = torch.cat([weights_of(2)[:, 0] for _ in range(2_000)])
    assert stats.ks_2samp(own.numpy(), chi[:, 0] / chi.sum(1)).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_whole_batches_are_mixed_convexly(dtype: torch.dtype) -> None:
    z = torch.eye(40, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = DirichletMix().mixed(codes(z))
    assert (mixed.z_mix.dtype, mixed.alpha.dtype) == (dtype, torch.promote_types(dtype, torch.float32))
    torch.testing.assert_close(1 - mixed.alpha[:, 0], mixed.z_mix.amax(1).to(mixed.alpha.dtype), rtol=4e-3, atol=0)
    digits = 1e-2 if dtype == torch.bfloat16 else 1e-6  # autocast takes none of them
    torch.testing.assert_close(mixed.z_mix.sum(1).float(), torch.ones(40), rtol=digits, atol=0)


def test_masks_of_mixed_codes_are_of_all_whose_codes_are_in_them() -> None:
    mask, z = valid(), torch.randn(4, 5, 2)
    assert torch.equal(DirichletMix().mixed(codes(z, mask)).mask, torch.ones(4, 5, dtype=torch.bool))
    assert torch.equal(DirichletMix().mixed(codes(z[1:], mask[1:])).mask.sum(1), torch.tensor([4, 4, 4]))
    assert torch.equal(HalfBatchMix().mixed(codes(z, mask)).mask.sum(1), torch.tensor([5, 4, 3, 5]))


@pytest.mark.parametrize("count", [2, 6, 7])
def test_halves_are_paired_as_published(count: int) -> None:
    z = torch.randn(count, 3, 2)
    mixed = HalfBatchMix().mixed(codes(z))
    half = count // 2
    partners = [*range(half, 2 * half), *reversed(range(half))]
    torch.testing.assert_close(mixed.z_partner, z[partners])
    expected = mixed.alpha * z[: 2 * half] + (1 - mixed.alpha) * z[partners]
    torch.testing.assert_close(mixed.z_mix, expected)  # an odd batch's last sample is left out


def test_halves_have_normal_coefficients_that_go_beyond_the_ends() -> None:
    alpha = HalfBatchMix().mixed(codes(torch.zeros(40_000, 1))).alpha.flatten()
    assert stats.kstest(alpha.numpy(), stats.norm(0.5, 0.25).cdf).pvalue > 1e-3
    beyond = ((alpha < 0) | (alpha > 1)).float().mean()
    assert beyond.item() == pytest.approx(2 * stats.norm.cdf(-2), abs=0.004)


@pytest.mark.parametrize("source", [DirichletMix, HalfBatchMix])
def test_a_generator_makes_the_draws_the_callers(source) -> None:
    z, state = torch.randn(6, 3), torch.get_rng_state()
    one, other = (source(torch.Generator().manual_seed(3)).mixed(codes(z)).z_mix for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_dirichlet_weights_are_shared_by_the_codes_that_are_valid_at_a_position() -> None:
    mask = torch.arange(5) < torch.tensor([5, 2, 3, 1])[:, None]
    z = torch.randn(4, 5, 2, dtype=torch.float64)
    mixed = seeded(DirichletMix().mixed, codes(z.where(mask[..., None], torch.nan), mask))
    weights = seeded(weights_of, 4, torch.float64)
    for t in range(5):
        shares = weights[:, mask[:, t]]
        expected = shares / shares.sum(1, keepdim=True) @ z[mask[:, t], t]
        torch.testing.assert_close(mixed.z_mix[:, t], expected)
        torch.testing.assert_close(mixed.alpha[:, t, 0], 1 - (shares / shares.sum(1, keepdim=True)).amax(1))
