"""Coefficients and partners: their laws, and where partners are valid."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreg import Interpolator


@pytest.mark.parametrize("strategy", [Interpolator(pairing="permutation"), Interpolator(kind="convex", ways=3)])
def test_a_mix_is_valid_where_any_of_its_codes_is(strategy: Interpolator) -> None:
    """Codes of ones where valid and zeros elsewhere: a mix is zero exactly where none of them was valid."""
    mask = torch.arange(6) < torch.tensor([1, 2, 4, 6, 3])[:, None]
    z = mask[..., None].double().expand(5, 6, 2)
    mixed = strategy.sample(z, mask=mask)
    valid = mixed.mask
    assert torch.equal(valid, mixed.z_mix[..., 0] > 0)


def test_a_grid_repeats_the_mask(sequences) -> None:
    valid = Interpolator(grid=3).sample(torch.randn(4, 5, 2), mask=sequences.mask).mask
    assert torch.equal(valid, torch.cat([sequences.mask | sequences.mask.flip(0)] * 3))


def test_one_coefficient_a_sample_or_one_an_element() -> None:
    z = torch.randn(6, 3, 4, 4)
    assert Interpolator().sample(z).alpha.shape == (6, 1, 1, 1)
    assert Interpolator(kind="multidimensional").sample(z).alpha.shape == z.shape
    assert Interpolator(kind="bernoulli").sample(z).alpha.shape == (6, 3, 1, 1)
    assert Interpolator(kind="bernoulli", grain="element").sample(z).alpha.shape == z.shape


@pytest.mark.parametrize("alpha_range", [(0.0, 0.5), (0.0, 1.0), (0.2, 0.3)])
def test_coefficients_are_uniform_on_their_range(alpha_range: tuple[float, float]) -> None:
    """Against the moments of the uniform law, within five standard errors."""
    low, high = alpha_range
    alpha = Interpolator(alpha_range=alpha_range).sample(torch.zeros(20_000, 1)).alpha
    assert low <= alpha.min()
    assert alpha.max() <= high
    spread = (high - low) / 12**0.5
    assert abs(alpha.mean() - (low + high) / 2) < 5 * spread / 20_000**0.5
    assert alpha.std().item() == pytest.approx(spread, rel=0.03)


def test_bernoulli_takes_whole_channels_at_the_drawn_rate() -> None:
    z = torch.randn(4000, 8, 2, 2)
    z_mix, alpha, z_partner, _ = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0)).sample(z)
    assert set(alpha.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(z_mix, torch.where(alpha.bool(), z, z_partner))
    assert alpha.mean().item() == pytest.approx(0.5, abs=0.02)


@given(n=st.integers(2, 40), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_a_permutation_leaves_nobody_with_themselves_and_nobody_out(n: int, seed: int) -> None:
    z = torch.arange(float(n))
    strategy = Interpolator(pairing="permutation", generator=torch.Generator().manual_seed(seed))
    partner = strategy.sample(z).z_partner
    assert (partner != z).all()
    assert torch.equal(partner.sort().values, z)


def test_partners_are_reversed_or_from_the_prior_or_from_the_caller() -> None:
    one, z = torch.randn(1, 4), torch.randn(6, 4)
    assert torch.equal(Interpolator().sample(z).z_partner, z.flip(0))
    assert Interpolator(pairing="prior").sample(one).z_mix.isfinite().all()  # a batch of one is enough
    threes = Interpolator(pairing="prior", prior=lambda z: torch.full_like(z, 3.0))
    assert torch.equal(threes.sample(one).z_partner, torch.full((1, 4), 3.0))
    assert torch.equal(Interpolator(pairing=lambda z: z + 1).sample(one).z_partner, one + 1)
    given_partner = torch.zeros(1, 4)
    assert torch.equal(Interpolator().mix(one, given_partner, alpha=0.25), 0.25 * one)


def test_prior_draws_are_standard_normal() -> None:
    draws = Interpolator(pairing="prior").sample(torch.zeros(4000, 4)).z_partner
    assert abs(draws.mean()) < 0.05
    assert draws.std().item() == pytest.approx(1, abs=0.03)


def test_half_precision_codes_keep_fine_coefficients() -> None:
    z = torch.randn(256, 8, dtype=torch.bfloat16)
    z_mix, alpha, _, _ = Interpolator().sample(z)
    assert (z_mix.dtype, alpha.dtype) == (torch.bfloat16, torch.float32)
    assert len(alpha.unique()) > 250  # bf16 would leave fewer


@pytest.mark.parametrize("shape", [(6,), (6, 5), (6, 3, 4), (6, 3, 4, 4)])
@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_a_shared_coefficient_is_one_for_the_batch(kind: str, shape: tuple[int, ...]) -> None:
    strategy = Interpolator(kind=kind, shared=True, alpha_range=(0.0, 1.0))
    draws = torch.stack([strategy.sample(torch.randn(shape)).alpha.flatten() for _ in range(2)])
    assert draws.shape == (2, 6)
    assert (draws == draws[:, :1]).all()
    assert draws[0, 0] != draws[1, 0]


def test_a_shared_probability_is_one_for_the_batch_and_bits_are_not() -> None:
    """Rates of the batch spread as U(0, 1) does; with a probability each sample they would all be near 1/2."""
    z = torch.randn(64, 8, 2, 2)
    strategy = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0), shared=True)
    drawn = [strategy.sample(z).alpha for _ in range(400)]
    assert all(alpha.shape == (64, 8, 1, 1) for alpha in drawn)
    rates = torch.stack([alpha.mean() for alpha in drawn])
    assert rates.std().item() == pytest.approx(12**-0.5, abs=0.03)
    assert any(len(alpha.flatten(1).unique(dim=0)) > 2 for alpha in drawn)
    alone = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0))
    assert torch.stack([alone.sample(z).alpha.mean() for _ in range(100)]).std() < 0.06


def test_a_coefficient_for_each_channel() -> None:
    z = torch.randn(6, 3, 4, 4)
    z_mix, alpha, z_partner, _ = Interpolator(kind="multidimensional", grain="channel").sample(z)
    assert (alpha.shape, len(alpha.unique())) == ((6, 3, 1, 1), 18)
    assert alpha.max() <= 0.5
    torch.testing.assert_close(z_mix, alpha * z + (1 - alpha) * z_partner)
