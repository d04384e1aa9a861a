"""Kernels: formulas, slopes, presets, and ladders of exponentials."""

import dataclasses
import math

import brute
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreg.functional import mmd2
from interpreg.kernels import RBF, Energy, InverseMultiquadric, RationalQuadratic, from_spec
from interpreg.kernels.radial import ladder

SQ = torch.cat([torch.zeros(1), torch.logspace(-6, 4, 200)]).double()


@pytest.mark.parametrize("name", brute.CASES)
def test_profiles_are_the_formulas(name: str) -> None:
    case = brute.CASES[name]
    exact = torch.from_numpy(case.value(SQ.numpy()))
    torch.testing.assert_close(case.kernel.profile(SQ), exact, rtol=1e-13, atol=1e-15)
    assert case.kernel.at_zero == case.at_zero


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 5e-5)])
@pytest.mark.parametrize("name", brute.CASES)
def test_value_and_slope_are_the_formula_and_its_derivative(name: str, dtype: torch.dtype, rtol: float) -> None:
    case = brute.CASES[name]
    sq = SQ[SQ < 500].to(dtype)
    value, slope = case.kernel.value_and_slope(sq.clone())
    exact = sq.double().numpy()
    torch.testing.assert_close(value.double(), torch.from_numpy(case.value(exact)), rtol=rtol, atol=1e-30)
    torch.testing.assert_close(slope.double(), torch.from_numpy(case.slope(exact)), rtol=rtol, atol=1e-30)
    leaf = sq[1:].clone().requires_grad_()  # at 0 the energy's derivative is infinite, and 0 by agreement
    (automatic,) = torch.autograd.grad(case.kernel.profile(leaf).sum(), leaf)
    torch.testing.assert_close(slope[1:], automatic, rtol=rtol, atol=1e-30)


@pytest.mark.fault(
    "Numerics",
    "The square root of a distance of 0 has the gradient NaN.",
    now="gradient 0",
)
@pytest.mark.parametrize("name", brute.CASES)
def test_coincident_points_have_gradient_zero(name: str) -> None:
    kernel = brute.CASES[name].kernel
    x = torch.ones(3, 2, requires_grad=True)
    difference = x[:, None] - x[None].detach()
    kernel.profile(difference.square().sum(2)).sum().backward()
    assert torch.equal(x.grad, torch.zeros(3, 2))
    value, slope = kernel.value_and_slope(torch.zeros(4))
    assert torch.equal(value, torch.full((4,), kernel.at_zero))
    assert slope.isfinite().all()


@pytest.mark.parametrize("d", [1, 3, 64])
def test_the_default_is_the_kernel_of_wae(d: int) -> None:
    kernel = InverseMultiquadric().resolved(math.sqrt(d))
    expected = sum(2 * d * s / (2 * d * s + SQ) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))
    torch.testing.assert_close(kernel.profile(SQ), expected, rtol=1e-12, atol=0)
    x, y = torch.randn(20, d), torch.randn(20, d) + 1
    assert torch.equal(mmd2(x, y), mmd2(x, y, kernel=InverseMultiquadric()))
    assert torch.equal(mmd2(x, y), mmd2(x, y, kernel=kernel))


def test_the_preset_of_midrae() -> None:
    expected = sum(torch.exp(-SQ / (2 * s**2)) for s in (2, 5, 10, 20, 40, 80))
    torch.testing.assert_close(RBF.midrae().profile(SQ), expected, rtol=1e-13, atol=0)
    assert RBF.midrae().resolved(1000.0) == RBF.midrae()


@pytest.mark.parametrize("name", brute.CASES)
def test_kernels_are_frozen_and_hashable_and_made_again_from_their_numbers(name: str) -> None:
    kernel = brute.CASES[name].kernel
    again = from_spec(kernel.spec())
    assert type(again) is type(kernel)
    torch.testing.assert_close(again.profile(SQ), kernel.profile(SQ), rtol=1e-14, atol=0)
    parts = sum(part.profile(SQ) for part in kernel.parts())
    torch.testing.assert_close(parts, kernel.profile(SQ), rtol=1e-13, atol=0)
    twin = dataclasses.replace(kernel)
    assert (twin, hash(twin), {kernel: 1}[twin]) == (kernel, hash(kernel), 1)
    if not isinstance(kernel, Energy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            kernel.bandwidths = (1.0,)
        assert hash(type(kernel)([1.0, 2.0])) == hash(type(kernel)((1.0, 2.0)))


def rungs_of(widths: list[float]) -> tuple[list[float], int]:
    """The rates that a ladder's exponentials have when climbed, and how many are had anew."""
    rates, fresh, amplified = [], 0, 1
    for rung in ladder(widths):
        if rung.squarings:
            amplified *= 2**rung.squarings
            rates.append(rates[-1] * 2**rung.squarings)
        else:
            fresh, amplified = fresh + 1, 1
            rates.append(rung.rate)
        assert amplified <= 16
        assert rung.rate == pytest.approx(rates[-1], rel=1e-8)
    return rates, fresh


@given(widths=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12))
@settings(deadline=None, max_examples=80)
def test_every_rung_of_a_ladder_has_its_rate(widths: list[float]) -> None:
    rates, _ = rungs_of(widths)
    assert rates == pytest.approx([1 / (2 * w**2) for w in sorted(widths, reverse=True)], rel=1e-8)


@given(start=st.floats(1e-2, 1e2), count=st.integers(1, 15), step=st.sampled_from([math.sqrt(2), 2.0]))
@settings(deadline=None, max_examples=60)
def test_geometric_ladders_need_few_exponentials(start: float, count: int, step: float) -> None:
    rates, fresh = rungs_of([start * step**k for k in range(count)])
    together = 5 if step < 2 else 3  # squared four times, or twice two times: amplified by 16
    assert (len(rates), fresh) == (count, -(-count // together))


def test_other_ladders_take_every_exponential_anew() -> None:
    assert rungs_of([1.0, 3.0, 9.5])[1] == 3
    assert rungs_of([1.0, 4.0])[1] == 2  # rates 16 apart
    assert rungs_of([2, 5, 10, 20, 40, 80])[1] == 3


@given(start=st.floats(0.5, 2), count=st.integers(2, 9))
@settings(deadline=None, max_examples=30)
def test_squaring_keeps_single_precision(start: float, count: int) -> None:
    widths = tuple(start * 2**k for k in range(count))
    sq = torch.linspace(0, 60, 101)
    value, slope = RBF(widths).value_and_slope(sq.clone())
    exact = sq.double()
    values = sum(torch.exp(-exact / (2 * w**2)) for w in widths)
    slopes = sum(-torch.exp(-exact / (2 * w**2)) / (2 * w**2) for w in widths)
    torch.testing.assert_close(value.double(), values, rtol=2e-6, atol=0)
    torch.testing.assert_close(slope.double(), slopes, rtol=2e-5, atol=0)


def test_rbf_and_imq_are_limits_of_the_rational_quadratic() -> None:
    one = RationalQuadratic(1.3, alpha=1.0).profile(SQ)
    torch.testing.assert_close(one, InverseMultiquadric(1.3).profile(SQ), rtol=1e-12, atol=0)
    few = SQ[SQ < 20]
    many = RationalQuadratic(1.3, alpha=1e7).profile(few)
    torch.testing.assert_close(many, RBF(1.3).profile(few), rtol=1e-4, atol=0)
