"""The MMD to a normal prior without samples of it, against formulas and integrals from elsewhere."""

import math
from itertools import pairwise

import brute
import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic
from interpreg.mmd import dispatch, native
from interpreg.mmd.request import Request
from interpreg.priors import Normal

DIMENSIONS = [1, 2, 5, 64, 1000, 4096]


def gaussian_potential(sq: np.ndarray, d: int, width: float, s: float) -> np.ndarray:
    """E k(x, z) for z ~ N(mean, s^2 I), a Gaussian of that width, and squared distances of x to the mean."""
    g = width**2
    return (g / (g + s**2)) ** (d / 2) * np.exp(-sq / (2 * (g + s**2)))


def gaussian_energy(d: int, width: float, s: float) -> float:
    return (width**2 / (width**2 + 2 * s**2)) ** (d / 2)


def within(value, x: np.ndarray, estimator: str, u: np.ndarray | None = None) -> float:
    """E k(x, x') as the estimator has it."""
    u = np.full(len(x), 1 / len(x)) if u is None else u / u.sum()
    pairs = value(brute.squared(x, x)) * np.outer(u, u)
    if estimator == "biased":
        return pairs.sum()
    return (pairs.sum() - np.trace(pairs)) / (1 - (u**2).sum())


def codes(n: int, d: int, prior: Normal, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    g = torch.Generator().manual_seed(d)
    return (prior.mean + 0.2 + 1.2 * prior.std * torch.randn(n, d, generator=g, dtype=torch.float64)).to(dtype)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("prior", [Normal(), Normal(-0.4, 2.5), Normal(3.0, 0.1)], ids=repr)
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
@pytest.mark.parametrize("backend", ["reference", "tiled"])
def test_rbf_is_exact(d: int, prior: Normal, estimator: str, backend: str) -> None:
    x = codes(7, d, prior)
    widths = [scale * prior.std * math.sqrt(d) for scale in (0.6, 1.3)]
    a = brute.plain(x)
    sq = np.square(a - prior.mean).sum(1)
    weights = np.arange(1.0, 8.0)

    def value(t: np.ndarray) -> np.ndarray:
        return sum(np.exp(-t / (2 * w**2)) for w in widths)

    for u in (None, weights):
        felt = sum(gaussian_potential(sq, d, w, prior.std) for w in widths)
        cross = felt.mean() if u is None else felt @ u / u.sum()
        own = sum(gaussian_energy(d, w, prior.std) for w in widths)
        expected = within(value, a, estimator, u) - 2 * cross + own
        estimate = mmd2_to_prior(
            x, prior=prior, kernel=RBF(widths), estimator=estimator, backend=backend, closed_form=True,
            weights=None if u is None else torch.from_numpy(u),
        )  # fmt: skip
        assert estimate.item() == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("prior", [Normal(), Normal(-0.4, 2.5)], ids=repr)
def test_energy_is_a_hypergeometric_function(d: int, prior: Normal) -> None:
    """|x - z|^2 / s^2 is noncentral chi-square: E|x - z| = s sqrt(pi/2) L_{1/2}^{(d/2-1)}(-|x - mean|^2 / 2 s^2)."""
    x = codes(6, d, prior)
    a, s = brute.plain(x), prior.std
    sq = np.square(a - prior.mean).sum(1)
    gammas = math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    felt = -s * math.sqrt(2) * gammas * special.hyp1f1(-0.5, d / 2, -sq / (2 * s**2))
    own = -2 * s * gammas
    expected = within(lambda t: -np.sqrt(t), a, "unbiased") - 2 * felt.mean() + own
    estimate = mmd2_to_prior(x, prior=prior, kernel=Energy(), closed_form=True)
    assert estimate.item() == pytest.approx(expected, abs=3e-7 * s * math.sqrt(d))


SCALED = {
    "imq": (lambda w: InverseMultiquadric(w), lambda t, w: 2 * w**2 / (2 * w**2 + t)),
    "rq": (lambda w: RationalQuadratic(w, alpha=0.7), lambda t, w: (1 + t / (1.4 * w**2)) ** -0.7),
    "steep": (lambda w: RationalQuadratic(w, alpha=9.0), lambda t, w: (1 + t / (18 * w**2)) ** -9.0),
    "laplacian": (lambda w: Laplacian(w), lambda t, w: np.exp(-np.sqrt(t) / w)),
}


def mean_under(distribution, value, points: tuple[float, ...] = ()) -> float:
    """E value(T), T of a scipy distribution."""
    quantiles = [distribution.ppf(q) for q in (1e-14, 1e-6, 0.01, 0.5, 0.99, 1 - 1e-6)]
    edges = sorted([*quantiles, distribution.isf(1e-14), *points])

    def density(t: float) -> float:
        return value(t) * distribution.pdf(t)

    return sum(integrate.quad(density, a, b, epsabs=1e-11, limit=200)[0] for a, b in pairwise(edges))


@pytest.mark.parametrize("d", [1, 3, 20, 400])
@pytest.mark.parametrize("name", SCALED)
def test_other_kernels_by_integrating_over_the_distance(name: str, d: int) -> None:
    """|x - z|^2 / s^2 is noncentral chi-square with d degrees of freedom, |z - z'|^2 / 2 s^2 central."""
    make, formula = SCALED[name]
    prior = Normal(0.3, 1.4)
    s, width = prior.std, 0.9 * prior.std * math.sqrt(d)
    x = codes(2, d, prior)
    a = brute.plain(x)
    if d == 1:
        felt = [mean_under(stats.norm(0.3, s), lambda z, e=e: formula((e - z) ** 2, width), (e,)) for e in a[:, 0]]
        own = mean_under(stats.norm(0, math.sqrt(2) * s), lambda z: formula(z**2, width), (0.0,))
    else:
        sq = np.square(a - prior.mean).sum(1)
        felt = [mean_under(stats.ncx2(d, each / s**2), lambda t: formula(t * s**2, width)) for each in sq]
        own = mean_under(stats.chi2(d), lambda t: formula(2 * s**2 * t, width))
    expected = within(lambda t: formula(t, width), a, "unbiased") - 2 * np.mean(felt) + own
    estimate = mmd2_to_prior(x, prior=prior, kernel=make(width), closed_form=True)
    assert estimate.item() == pytest.approx(expected, abs=1e-6)


def test_the_limit_of_many_prior_samples(name: str) -> None:
    kernel, prior = brute.CASES[name].kernel, Normal(0.5, 0.8)
    x = codes(40, 3, prior)
    g = torch.Generator().manual_seed(11)
    sampled = torch.stack(
        [
            mmd2_to_prior(x, prior=prior, kernel=kernel, closed_form=False, samples=400, generator=g)
            for _ in range(40)
        ]
    )
    closed = mmd2_to_prior(x, prior=prior, kernel=kernel, closed_form=True)
    assert sampled.std() > 0
    assert (sampled.mean() - closed).abs() < 4 * sampled.std() / math.sqrt(len(sampled))


@pytest.mark.parametrize(
    "kernel", [RBF(), InverseMultiquadric(), Laplacian(), RationalQuadratic(), Energy()], ids=repr
)
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_the_closed_form_is_what_auto_takes(kernel: Kernel, estimator: str) -> None:
    x = torch.randn(20, 4)
    closed = mmd2_to_prior(x, kernel=kernel, estimator=estimator, closed_form=True)
    assert torch.equal(mmd2_to_prior(x, kernel=kernel, estimator=estimator), closed)
    assert torch.equal(mmd2_to_prior(x, kernel=kernel, estimator=estimator, prior=Normal()), closed)
    assert not torch.equal(mmd2_to_prior(x, kernel=kernel, estimator=estimator, closed_form=False), closed)


@pytest.mark.parametrize("d", [1, 3, 64, 1024])
@pytest.mark.parametrize("weighted", [False, True])
def test_backends_agree_in_single_precision(name: str, d: int, weighted: bool) -> None:
    """With each other, and with the dense reference in double precision; 150 codes, which is no multiple of a tile."""
    prior = Normal(0.3, 1.4)
    kernel = brute.CASES[name].kernel
    kernel = kernel if name == "energy" else type(kernel)(scales=(0.5, 1.5))
    exact = codes(150, d, prior).float().double().requires_grad_()
    weights = torch.rand(150) if weighted else None
    truth = mmd2_to_prior(exact, prior=prior, kernel=kernel, backend="reference", weights=weights)
    (slope,) = torch.autograd.grad(truth, exact)
    size = prior.std * math.sqrt(d) if name == "energy" else 2.0
    for backend in ("reference", "tiled", *(["native"] if not native.why_not() else [])):
        x = exact.detach().float().requires_grad_()
        value = mmd2_to_prior(x, prior=prior, kernel=kernel, backend=backend, weights=weights)
        (gradient,) = torch.autograd.grad(value, x)
        assert (value.dtype, value.item()) == (torch.float32, pytest.approx(truth.item(), abs=1e-5 * size))
        assert (gradient - slope).norm() < 1e-4 * slope.norm()


def test_the_potential_alone(name: str, backend: str) -> None:
    """The raw sum xp beside no other block, its coefficient and its gradient."""
    kernel = brute.CASES[name].kernel
    x, u = torch.randn(21, 3, requires_grad=True), torch.rand(21)
    coefs = torch.tensor([9.0, 9.0, 9.0, 0.7], dtype=torch.float64)

    def alone(x: torch.Tensor, u: torch.Tensor, how: str) -> torch.Tensor:
        request = Request(x, None, u, None, coefs, kernel, (False, False, False), Normal(0.4, 1.1))
        return dispatch.value(request, how)

    exact = x.detach().double().requires_grad_()
    truth = alone(exact, u.double(), "reference")
    value = alone(x, u, backend)
    assert value.item() == pytest.approx(truth.item(), abs=2e-5)
    (gradient,), (slope,) = torch.autograd.grad(value, x), torch.autograd.grad(truth, exact)
    assert slope.norm() > 0.1
    assert (gradient - slope).norm() < 1e-4 * slope.norm()
    if name == "rbf":
        sq = np.square(brute.plain(x) - 0.4).sum(1)
        felt = sum(gaussian_potential(sq, 3, w, 1.1) for w in brute.WIDTHS)
        own = sum(gaussian_energy(3, w, 1.1) for w in brute.WIDTHS)
        assert truth.item() == pytest.approx(0.7 * felt @ brute.plain(u) + own, rel=1e-10)


@pytest.mark.parametrize("backend", ["reference", "tiled"])
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_derivatives(name: str, backend: str, estimator: str) -> None:
    x = codes(4, 2, Normal(0.5, 2.0)).requires_grad_()

    def value(x: torch.Tensor) -> torch.Tensor:
        return mmd2_to_prior(
            x, prior=Normal(0.5, 2.0), kernel=brute.CASES[name].kernel, backend=backend, estimator=estimator
        )

    assert torch.autograd.gradcheck(value, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(value, (x,))


def test_a_forward_derivative_has_the_type_of_the_codes() -> None:
    x, v = torch.randn(2, 8, 3).unbind()
    for kernel in (Energy(), RBF(), InverseMultiquadric()):
        value, tangent = torch.func.jvp(lambda x, k=kernel: mmd2_to_prior(x, kernel=k), (x,), (v,))
        assert value.dtype == tangent.dtype == torch.float32


def test_codes_far_out_and_collapsed_codes_have_finite_values_and_gradients(name: str, backend: str) -> None:
    kernel = brute.CASES[name].kernel
    for x in (torch.zeros(9, 5), torch.full((9, 5), 3.0), 1e4 * torch.randn(9, 5), torch.zeros(2, 1)):
        leaf = x.requires_grad_()
        value = mmd2_to_prior(leaf, kernel=kernel, backend=backend)
        value.backward()
        assert value.isfinite()
        assert leaf.grad.isfinite().all()
    assert mmd2_to_prior(torch.full((9, 5), torch.nan), kernel=kernel, backend=backend).isnan()


@pytest.mark.parametrize("kernel", [Energy(), InverseMultiquadric(), Laplacian()], ids=repr)
def test_heavy_tails_pull_codes_from_afar(kernel: Kernel) -> None:
    x = (30 + torch.randn(50, 4)).requires_grad_()
    mmd2_to_prior(x, kernel=kernel).backward()
    assert (x.grad.sum(0) > 0).all()


def test_codes_from_the_prior_are_at_distance_zero_on_average() -> None:
    for kernel in (RBF(), InverseMultiquadric(), Energy(), Laplacian(), RationalQuadratic()):
        g = torch.Generator().manual_seed(3)
        values = torch.stack([mmd2_to_prior(torch.randn(32, 6, generator=g), kernel=kernel) for _ in range(120)])
        assert values.mean().abs() < 4 * values.std() / math.sqrt(len(values))
        # less noise than with samples of the prior
        sampled = torch.stack(
            [
                mmd2(*torch.randn(2, 32, 6, generator=g).unbind(), kernel=kernel.resolved(math.sqrt(6)))
                for _ in range(120)
            ]
        )
        assert values.std() < 0.8 * sampled.std()
