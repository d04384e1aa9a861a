"""Mixing more than two codes: the laws of their weights."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreg import Interpolator
from interpreg.sampling import partners


def test_convex_mixes_are_convex_and_flat_on_the_simplex() -> None:
    """The largest of k flat Dirichlet weights has mean (1 + 1/2 + ... + 1/k) / k (order statistics)."""
    z = torch.eye(3).repeat(4000, 1)
    z_mix, alpha, _, _ = Interpolator(kind="convex", ways=3).sample(z)
    torch.testing.assert_close(z_mix.sum(1), torch.ones(len(z)))
    assert (z_mix >= 0).all()
    assert (1 - alpha).mean().item() == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=0.01)
    assert alpha.max() <= 2 / 3


def test_two_way_convex_has_the_folded_coefficient() -> None:
    alpha = Interpolator(kind="convex").sample(torch.randn(5000, 2)).alpha
    assert alpha.max() <= 0.5
    assert alpha.mean().item() == pytest.approx(0.25, abs=0.01)


@given(n=st.integers(4, 30), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_convex_partners_are_all_different(n: int, seed: int) -> None:
    """Each mixed row of one-hot codes has exactly as many non-zero weights as ways."""
    strategy = Interpolator(kind="convex", ways=4, generator=torch.Generator().manual_seed(seed))
    z_mix = strategy.mix(torch.eye(n, dtype=torch.float64))
    assert ((z_mix > 0).sum(1) == 4).all()


@pytest.mark.parametrize("grain", ["channel", "element"])
def test_bernoulli_of_three_takes_each_grain_from_any_of_them_alike(grain: str) -> None:
    """Codes that say whose they are: every grain is one's own or one of two partners', a third each."""
    count = 3000
    z = torch.arange(float(count)).view(-1, 1, 1, 1).expand(count, 4, 2, 2).contiguous()
    z_mix, alpha, _, _ = Interpolator(kind="bernoulli", ways=3, grain=grain).sample(z)
    assert alpha.shape == ((count, 4, 1, 1) if grain == "channel" else z.shape)
    assert torch.equal(z_mix == z, alpha.expand_as(z).bool())
    assert alpha.mean().item() == pytest.approx(1 / 3, abs=0.02)
    if grain == "channel":
        assert torch.equal(z_mix, z_mix[..., :1, :1].expand_as(z))
    foreign = [row[row != own].unique() for row, own in zip(z_mix.flatten(1), z[:, 0, 0, 0], strict=True)]
    assert max(len(values) for values in foreign) == 2
    both = [row for row, values in zip(z_mix.flatten(1), foreign, strict=True) if len(values) == 2]
    assert len(both) > count / 3  # of four channels, two partners show in 16/27 - 1/81


def test_bernoulli_of_three_uses_both_partners_equally() -> None:
    count = 3000
    z = torch.arange(float(count)).view(-1, 1).expand(count, 30).contiguous()
    strategy = Interpolator(kind="bernoulli", ways=3, grain="element")
    torch.manual_seed(4)
    z_mix = strategy.mix(z)
    torch.manual_seed(4)
    ((first, _), (second, _)) = partners(z, None, strategy.pairing, None, None, 2)
    for origin in (first, second):
        assert (z_mix == origin).float().mean().item() == pytest.approx(1 / 3, abs=0.01)
