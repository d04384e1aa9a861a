"""Noise and dropout, and samples of a posterior."""

import pytest
import torch

from interpreg.functional import add_noise, drop_out, sample_normal


def test_noise_has_its_standard_deviation_and_no_mean() -> None:
    """Of 40000 draws, within five standard errors."""
    noise = add_noise(torch.full((40_000,), 3.0), std=2.0) - 3
    assert abs(noise.mean()) < 5 * 2 / 200
    assert noise.std().item() == pytest.approx(2, abs=5 * 2 / 200 / 2**0.5)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    z = drop_out(torch.ones(40_000), p=0.25)
    assert abs((z == 0).float().mean() - 0.25) < 5 * (0.25 * 0.75 / 40_000) ** 0.5
    torch.testing.assert_close(z[z > 0], torch.full_like(z[z > 0], 1 / 0.75))


def test_samples_have_the_mean_and_the_variance_of_the_posterior() -> None:
    """Of 40000 draws, within five standard errors."""
    z = sample_normal(torch.full((40_000,), 3.0), torch.full((40_000,), 2.0).log())
    assert z.mean().item() == pytest.approx(3, abs=5 * (2 / 40_000) ** 0.5)
    assert z.var().item() == pytest.approx(2, abs=5 * 2 * (2 / 40_000) ** 0.5)


@pytest.mark.parametrize("draw", [add_noise, drop_out, lambda x, **given: sample_normal(x, x, **given)])
def test_a_generator_makes_the_draws_the_callers(draw) -> None:
    x, state = torch.ones(50), torch.get_rng_state()
    one, same, other = (draw(x, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_arguments_are_named() -> None:
    x = torch.ones(3)
    with pytest.raises(ValueError, match="std: expected a finite number of at least 0, got -1"):
        add_noise(x, std=-1)
    with pytest.raises(ValueError, match=r"p: expected a finite number in \[0, 1\], got 2"):
        drop_out(x, p=2)
    with pytest.raises(ValueError, match=r"p: expected a number below 1, so that something .*is left, got 1"):
        drop_out(x, p=1)
