"""Bandwidths by rules, a kernel of one's own, and bad arguments."""

from dataclasses import dataclass

import brute
import numpy as np
import pytest
import torch

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic, as_kernel

SQ = torch.cat([torch.zeros(1), torch.logspace(-6, 4, 200)]).double()
SCALED = (RBF, InverseMultiquadric, RationalQuadratic, Laplacian)


@pytest.mark.parametrize("kind", SCALED)
def test_rules_scale_their_bandwidths_and_numbers_do_not(kind: type) -> None:
    resolved = kind("dimension", scales=(0.5, 3.0)).resolved(4.0)
    assert (sorted(resolved.bandwidths), kind(2).bandwidths) == ([2.0, 12.0], (2.0,))
    assert kind([2, 3.5]).resolved(9.0) == kind((2.0, 3.5))
    assert kind("median").needs_median
    assert not kind("dimension").needs_median
    assert not kind(1.0).needs_median
    with pytest.raises(ValueError, match="bandwidths: expected numbers, got the rule 'median'"):
        kind("median").profile(SQ)


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
    assert not Cauchy().is_mixture
    with pytest.raises(NotImplementedError, match="kernel: Cauchy has no mixture of Gaussians"):
        Cauchy().mixture(1.0)
    with pytest.raises(ValueError, match="which cannot: it does not have the kernel"):
        mmd2(x, z, kernel=Cauchy(), backend="native")


@pytest.mark.parametrize("kind", [RBF, InverseMultiquadric, RationalQuadratic, Laplacian])
@pytest.mark.parametrize(("bandwidths", "error", "message"), [
    (0, ValueError, r"^bandwidths: expected positive numbers, got 0"),
    (-1.0, ValueError, r"^bandwidths: expected a finite number of at least 0, got -1.0"),
    (None, TypeError, r"^bandwidths: expected a number, got None"),
    ((), ValueError, r"^bandwidths: expected at least one number, got none"),
    ([1.0, -2.0], ValueError, r"^bandwidths: expected a finite number of at least 0, got -2.0"),
    ([1.0, "2"], TypeError, r"^bandwidths: expected a number, got '2'"),
    ("mean", ValueError, r"^bandwidths: expected one of 'dimension', 'median', got 'mean'"),
])  # fmt: skip
def test_bad_bandwidths_are_named(kind: type, bandwidths: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        kind(bandwidths)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: RBF(scales=0), ValueError, r"^scales: expected .*number"),
    (lambda: RBF(scales=()), ValueError, r"^scales: expected .*number"),
    (lambda: RBF(scales="wide"), TypeError, r"^scales: expected .*number"),
    (lambda: RBF(2.0, scales=(1.0, 3.0)), ValueError, r"^scales: expected none beside bandwidths that are numbers"),
    (lambda: RationalQuadratic(alpha=0), ValueError, r"^alpha: expected a .*number"),
])  # fmt: skip
def test_bad_scales_and_alphas_are_named(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_none_is_the_default_kernel_and_others_have_to_be_kernels_with_a_hash() -> None:
    assert as_kernel(None) == InverseMultiquadric()
    assert as_kernel(kernel := RBF(2.0)) is kernel
    with pytest.raises(TypeError, match=r"kernel: expected a Kernel from interpreg.kernels, got 'rbf'"):
        as_kernel("rbf")
    with pytest.raises(TypeError, match=r"kernel: expected one that can be hashed .*, got a Mutable"):
        as_kernel(Mutable())


@dataclass
class Mutable(Kernel):
    def profile(self, sq: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + sq)
