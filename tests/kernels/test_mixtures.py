"""Kernels as mixtures of Gaussians."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreg.kernels import RBF, Energy, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic

SCALED = (RBF, InverseMultiquadric, RationalQuadratic, Laplacian)


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


@pytest.mark.parametrize("typical", [1e-4, 1.0, 8192.0])
def test_the_mixture_of_the_energy_is_minus_the_distance(typical: float) -> None:
    sq = np.logspace(-4, 4, 200) * typical
    np.testing.assert_allclose(mixed(Energy(), sq, typical), -np.sqrt(sq), rtol=1e-5)
    near = np.logspace(-1, 1, 50) * typical
    np.testing.assert_allclose(mixed(Energy(), near, typical), -np.sqrt(near), rtol=1e-7)


def test_small_alphas_have_mixtures_without_warnings() -> None:
    assert len(RationalQuadratic(1.0, alpha=0.1).mixture(1.0).rates) > 100
