"""The rules for bandwidths, by dimension and by the median."""

import math

import brute
import numpy as np
import pytest
import torch

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, InverseMultiquadric, Laplacian, RationalQuadratic
from interpreg.priors import Ball, Normal, Sphere

SCALED = (RBF, InverseMultiquadric, RationalQuadratic, Laplacian)


def two_normals(d: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(d)
    return torch.randn(256, d, generator=g), 0.5 * torch.randn(256, d, generator=g)


@pytest.mark.fault(
    "Numerics",
    "A kernel whose bandwidth does not grow with the code is blind in high dimensions (Saswatm123/MMD-VAE#1).",
    now="bandwidths by dimension: the same resolution for codes of 2 to 4,096 elements",
)
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


def test_the_median_is_of_samples_that_have_a_weight() -> None:
    x, y, kernel = torch.randn(30, 4).double(), torch.randn(25, 4).double() * 2, RBF("median")
    weights = (torch.arange(30) % 3 > 0).double()
    outliers = torch.where(weights[:, None] > 0, x, 1e3)
    ours = mmd2(outliers, y, kernel=kernel, x_weights=weights)
    torch.testing.assert_close(ours, mmd2(x[weights > 0], y, kernel=kernel))


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
