"""The sliced estimator of the energy kernel."""

import math

import brute
import numpy as np
import pytest
import torch

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import Energy

ENERGY = brute.CASES["energy"]


def sliced(x: torch.Tensor, y: torch.Tensor, slices: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return mmd2(x, y, kernel=Energy(), estimator="sliced", slices=slices, generator=g)


def samples(n: int, m: int, d: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(d)
    x, y = torch.randn(n, d, generator=g, dtype=dtype), 0.6 * torch.randn(m, d, generator=g, dtype=dtype) + 0.3
    return x.requires_grad_(), y.requires_grad_()


@pytest.mark.parametrize("slices", [1, 2, 7])
@pytest.mark.parametrize(("n", "m"), [(30, 41), (2, 2), (2, 9)])
def test_exact_in_one_dimension(slices: int, n: int, m: int) -> None:
    x, y = samples(n, m, 1)
    truth = brute.mmd2(ENERGY, x, y)
    value = sliced(x, y, slices)
    assert value.item() == pytest.approx(truth.value, rel=1e-10, abs=1e-13)
    grad_x, grad_y = torch.autograd.grad(value, (x, y))
    np.testing.assert_allclose(grad_x, truth.grad_x, atol=1e-13)
    np.testing.assert_allclose(grad_y, truth.grad_y, atol=1e-13)


@pytest.mark.parametrize("d", [2, 10, 100])
def test_the_error_shrinks_with_the_root_of_the_slices(d: int) -> None:
    x, y = samples(40, 25, d)
    truth = brute.mmd2(ENERGY, x, y)
    errors = {}
    for slices in (16, 256, 4096):
        values, pulls = [], []
        for seed in range(8):
            value = sliced(x, y, slices, seed)
            values.append(value.item() - truth.value)
            grad_x, grad_y = (each.numpy() for each in torch.autograd.grad(value, (x, y)))
            pulls.append(
                np.linalg.norm(grad_x - truth.grad_x) / np.linalg.norm(truth.grad_x)
                + np.linalg.norm(grad_y - truth.grad_y) / np.linalg.norm(truth.grad_y)
            )
        values = np.array(values)
        errors[slices] = math.sqrt((values**2).mean()), math.sqrt(np.square(pulls).mean())
        assert abs(values.mean()) < 4.5 * errors[slices][0] / math.sqrt(8)  # unbiased over directions
    for few, many in ((16, 256), (256, 4096)):
        assert 2 < errors[few][0] / errors[many][0] < 8  # four, give or take
        assert 3 < errors[few][1] / errors[many][1] < 5.3
    assert errors[4096][0] < 3 * math.sqrt(d / 4096) * truth.value
    assert errors[4096][1] < 3 * math.sqrt(d / 4096)


def test_the_mean_over_generators_is_the_energy_distance() -> None:
    x, y = samples(12, 9, 3)
    values = torch.stack([sliced(x, y, 64, seed).detach() for seed in range(300)])
    error = (values.mean() - brute.mmd2(ENERGY, x, y).value).abs()
    assert error < 4 * values.std() / math.sqrt(300)


def test_generators_repeat() -> None:
    x, y = samples(20, 20, 5)
    assert torch.equal(sliced(x, y, 32, 1), sliced(x, y, 32, 1))
    assert not torch.equal(sliced(x, y, 32, 1), sliced(x, y, 32, 2))
    torch.manual_seed(4)
    first = mmd2(x, y, kernel=Energy(), estimator="sliced", slices=8)
    torch.manual_seed(4)
    assert torch.equal(first, mmd2(x, y, kernel=Energy(), estimator="sliced", slices=8))
    options = {"kernel": Energy(), "estimator": "sliced"}
    repeated = [mmd2_to_prior(x, generator=torch.Generator().manual_seed(9), **options) for _ in range(2)]
    assert torch.equal(*repeated)


def test_slices_in_chunks_are_the_same_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = samples(20, 13, 4)
    whole = sliced(x, y, 50)
    slopes = torch.autograd.grad(whole, (x, y))
    monkeypatch.setattr("interpreg.mmd.sliced.PROJECTIONS_AT_ONCE", 7 * 33)
    parts = sliced(x, y, 50)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.autograd.grad(parts, (x, y)), slopes, rtol=1e-10, atol=1e-14)


def test_the_gradient_is_that_of_the_value() -> None:
    x, y = samples(5, 4, 3)
    assert torch.autograd.gradcheck(lambda x, y: sliced(x, y, 6), (x, y))
    x, y = samples(5, 4, 3)
    (grad_x,) = torch.autograd.grad(3 * sliced(x, y.detach(), 6) ** 2, x)
    (unit,) = torch.autograd.grad(sliced(x, y.detach(), 6), x)
    torch.testing.assert_close(grad_x, 6 * sliced(x, y, 6).detach() * unit)


def test_far_from_the_origin_and_with_ties() -> None:
    x, y = samples(60, 50, 6, torch.float32)
    with torch.no_grad():
        exact, shifted = sliced(x, y, 64), sliced(x + 1000, y + 1000, 64)
    assert shifted.item() == pytest.approx(exact.item(), abs=1e-3)
    same = torch.ones(8, 3, requires_grad=True)
    value = sliced(same, torch.ones(5, 3), 16)
    value.backward()
    assert abs(value.item()) < 1e-6
    assert same.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_types(dtype: torch.dtype) -> None:
    x = torch.randn(30, 4).to(dtype).requires_grad_()
    value = sliced(x, torch.randn(20, 4).to(dtype), 16)
    value.backward()
    assert (value.dtype, x.grad.dtype) == (torch.float64 if dtype == torch.float64 else torch.float32, dtype)


def test_clamp() -> None:
    g = torch.Generator().manual_seed(0)
    draws = [torch.randn(2, 12, 2, generator=g) for _ in range(20)]
    free = [
        mmd2(*z, kernel=Energy(), estimator="sliced", generator=torch.Generator().manual_seed(1)) for z in draws
    ]
    clamped = [
        mmd2(*z, kernel=Energy(), estimator="sliced", clamp=True, generator=torch.Generator().manual_seed(1))
        for z in draws
    ]
    assert min(free) < 0 < max(free)
    assert [max(value.item(), 0.0) for value in free] == [value.item() for value in clamped]
