"""Kernels: formulas, slopes, ladders of exponentials, mixtures of Gaussians, rules for bandwidths."""

import dataclasses
import math
import warnings
from dataclasses import dataclass

import brute
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import (
    RBF,
    Energy,
    InverseMultiquadric,
    Kernel,
    Laplacian,
    RationalQuadratic,
    from_spec,
)
from interpreg.kernels.radial import ladder
from interpreg.priors import Ball, Normal, Sphere

SQ = torch.cat([torch.zeros(1), torch.logspace(-6, 4, 200)]).double()
SCALED = (RBF, InverseMultiquadric, RationalQuadratic, Laplacian)


@pytest.mark.parametrize("name", brute.CASES)
def test_profiles_are_the_formulas(name: str) -> None:
    case = brute.CASES[name]
    torch.testing.assert_close(
        case.kernel.profile(SQ), torch.from_numpy(case.value(SQ.numpy())), rtol=1e-13, atol=1e-15
    )
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


@pytest.mark.parametrize("kind", SCALED)
def test_rules_scale_their_bandwidths_and_numbers_do_not(kind: type) -> None:
    resolved = kind("dimension", scales=(0.5, 3.0)).resolved(4.0)
    assert sorted(resolved.bandwidths) == [2.0, 12.0]
    assert kind(2).bandwidths == (2.0,)
    assert kind([2, 3.5]).resolved(9.0) == kind((2.0, 3.5))
    assert kind("median").needs_median
    assert not kind("dimension").needs_median
    assert not kind(1.0).needs_median
    with pytest.raises(ValueError, match="bandwidths: expected numbers, got the rule 'median'"):
        kind("median").profile(SQ)


@pytest.mark.parametrize("name", brute.CASES)
def test_kernels_are_frozen_and_hashable_and_made_again_from_their_numbers(name: str) -> None:
    kernel = brute.CASES[name].kernel
    again = from_spec(kernel.spec())
    assert type(again) is type(kernel)
    torch.testing.assert_close(again.profile(SQ), kernel.profile(SQ), rtol=1e-14, atol=0)
    torch.testing.assert_close(
        sum(part.profile(SQ) for part in kernel.parts()), kernel.profile(SQ), rtol=1e-13, atol=0
    )
    twin = dataclasses.replace(kernel)
    assert twin == kernel
    assert hash(twin) == hash(kernel)
    assert {kernel: 1}[twin] == 1
    if not isinstance(kernel, Energy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            kernel.bandwidths = (1.0,)
        assert hash(type(kernel)([1.0, 2.0])) == hash(type(kernel)((1.0, 2.0)))


# ---- the ladder


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
    assert len(rates) == count
    assert fresh == -(-count // together)


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


# ---- mixtures of Gaussians


def mixed(kernel: Kernel, sq: np.ndarray, typical: float = 1.0) -> np.ndarray:
    mixture = kernel.mixture(typical)
    exponents = -np.multiply.outer(sq, np.array(mixture.rates))
    return (np.expm1(exponents) if mixture.relative else np.exp(exponents)) @ np.array(mixture.weights)


@pytest.mark.parametrize("width", [0.03, 1.0, 50.0])
@pytest.mark.parametrize("kind", SCALED)
def test_mixtures_are_the_kernel(kind: type, width: float) -> None:
    kernel = kind((width, 2.7 * width))
    sq = np.concatenate([[0.0], np.logspace(-2, 6, 300)]) * width**2
    error = np.abs(mixed(kernel, sq) - kernel.profile(torch.from_numpy(sq)).numpy())
    assert error.max() < 1e-7 * kernel.at_zero


@given(alpha=st.floats(0.1, 50), width=st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_mixtures_of_rational_quadratics(alpha: float, width: float) -> None:
    sq = np.logspace(-2, 6, 100) * width**2
    kernel = RationalQuadratic((width, 3 * width), alpha=alpha)
    exact = sum((1 + sq / (2 * alpha * w**2)) ** -alpha for w in (width, 3 * width))
    assert np.abs(mixed(kernel, sq) - exact).max() < 2e-7
    torch.testing.assert_close(kernel.profile(torch.from_numpy(sq)).numpy(), exact, rtol=1e-9, atol=0)


def test_rbf_and_imq_are_limits_of_the_rational_quadratic() -> None:
    torch.testing.assert_close(
        RationalQuadratic(1.3, alpha=1.0).profile(SQ), InverseMultiquadric(1.3).profile(SQ), rtol=1e-12, atol=0
    )
    few = SQ[SQ < 20]
    torch.testing.assert_close(
        RationalQuadratic(1.3, alpha=1e7).profile(few), RBF(1.3).profile(few), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("typical", [1e-4, 1.0, 8192.0])
def test_the_mixture_of_the_energy_is_minus_the_distance(typical: float) -> None:
    sq = np.logspace(-4, 4, 200) * typical
    np.testing.assert_allclose(mixed(Energy(), sq, typical), -np.sqrt(sq), rtol=1e-5)
    near = np.logspace(-1, 1, 50) * typical
    np.testing.assert_allclose(mixed(Energy(), near, typical), -np.sqrt(near), rtol=1e-7)


# ---- bandwidth rules


def two_normals(d: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(d)
    return torch.randn(256, d, generator=g), 0.5 * torch.randn(256, d, generator=g)


@pytest.mark.parametrize("kind", [RBF, InverseMultiquadric])
@pytest.mark.parametrize("rule", ["dimension", "median"])
def test_kernels_see_in_every_dimension(kind: type, rule: str) -> None:
    values = [float(mmd2(*two_normals(d), kernel=kind(rule))) for d in (2, 16, 64, 256, 1024, 4096)]
    assert min(values) > 0.05
    assert max(values) < 2 * min(values)


def test_the_published_size_of_an_mmd_whose_bandwidth_is_the_dimension() -> None:
    """exp(-r^2 / (2 d)) between N(0, I) and N(0, I / 4) of 256 samples: 0.072 to 0.078."""
    for d in (2, 16, 64, 256):
        assert 0.062 < float(mmd2(*two_normals(d), kernel=RBF(scales=(1.0,)), estimator="biased")) < 0.088


@pytest.mark.parametrize("kind", SCALED)
def test_the_median_rule_follows_the_scale_of_the_data(kind: type) -> None:
    x, y = torch.randn(90, 5).double(), torch.randn(70, 5).double() + 0.4
    kernel = kind("median", scales=(0.6, 1.1))
    expected = mmd2(x, y, kernel=kernel)
    for c in (1e-4, 3.0, 1e5):
        torch.testing.assert_close(mmd2(c * x, c * y, kernel=kernel), expected, rtol=1e-9, atol=1e-12)


def test_the_median_is_of_pairs_of_the_joint_sample_and_has_no_gradient() -> None:
    x, y = torch.randn(30, 4).double().requires_grad_(), torch.randn(25, 4).double() * 2
    joint = brute.plain(torch.cat([x, y]))
    sq = np.sort(brute.squared(joint, joint)[np.triu_indices(55, 1)])
    width = math.sqrt(sq[(len(sq) - 1) // 2] / 2)
    by_rule, by_number = mmd2(x, y, kernel=RBF("median", scales=(1.7,))), mmd2(x, y, kernel=RBF(1.7 * width))
    torch.testing.assert_close(by_rule, by_number, rtol=1e-9, atol=1e-12)
    (grad_rule,), (grad_number,) = torch.autograd.grad(by_rule, x), torch.autograd.grad(by_number, x)
    torch.testing.assert_close(grad_rule, grad_number, rtol=1e-9, atol=1e-12)


def test_the_median_of_equal_points_is_no_reason_to_divide_by_zero() -> None:
    assert mmd2(torch.ones(5, 3), torch.ones(4, 3), kernel=RBF("median")).abs() < 1e-6


def test_bandwidths_by_dimension_follow_the_prior() -> None:
    g = torch.Generator().manual_seed(1)
    x = torch.randn(64, 9, generator=g)
    for prior, spread in ((Normal(std=4.0), 12.0), (Sphere(3.0), 3.0), (Ball(2.0), 2 * math.sqrt(9 / 11))):
        by_rule, by_number = (
            mmd2_to_prior(x, prior=prior, kernel=kernel, generator=torch.Generator().manual_seed(2))
            for kernel in (RBF(scales=(0.5, 2.0)), RBF((0.5 * spread, 2 * spread)))
        )
        torch.testing.assert_close(by_rule, by_number, rtol=1e-5, atol=1e-6)


# ---- a kernel of one's own


@dataclass(frozen=True)
class Cauchy(Kernel):
    width: float = 1.0

    def profile(self, sq: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + sq / self.width)


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
@pytest.mark.parametrize("backend", ["reference", "tiled", "auto"])
def test_a_kernel_of_your_own_needs_only_a_profile(backend: str, estimator: str) -> None:
    case = brute.Case(Cauchy(2.5), lambda t: 2.5 / (2.5 + t), lambda t: -2.5 / (2.5 + t) ** 2, 1.0)
    x, y = torch.randn(140, 3, requires_grad=True), (torch.randn(61, 3) + 0.5).requires_grad_()
    truth = brute.mmd2(case, x, y, estimator)
    value = mmd2(x, y, kernel=case.kernel, backend=backend, estimator=estimator)
    value.backward()
    assert value.item() == pytest.approx(truth.value, abs=1e-6)
    np.testing.assert_allclose(x.grad, truth.grad_x, atol=1e-4 * np.abs(truth.grad_x).max())
    np.testing.assert_allclose(y.grad, truth.grad_y, atol=1e-4 * np.abs(truth.grad_y).max())


def test_a_kernel_of_your_own_meets_a_prior_through_samples() -> None:
    x = torch.randn(50, 3)
    value = mmd2_to_prior(x, kernel=Cauchy(), generator=torch.Generator().manual_seed(5))
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(value, mmd2(x, z, kernel=Cauchy()))
    with pytest.raises(ValueError, match=r"closed_form: expected .* normal prior"):
        mmd2_to_prior(x, kernel=Cauchy(), closed_form=True)
    with pytest.raises(ValueError, match="which cannot: it does not know the kernel"):
        mmd2(x, z, kernel=Cauchy(), backend="native")


def test_small_alphas_have_mixtures_without_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(RationalQuadratic(1.0, alpha=0.1).mixture(1.0).rates) > 100
