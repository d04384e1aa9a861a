"""Every backend against brute force: ragged shapes, blocks, layouts, precisions, values that are not finite."""

import itertools

import brute
import numpy as np
import pytest
import torch
from sweeps import FUSED, SHAPES, agree, problem, truth_of

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.mmd import native, tiled
from interpreg.mmd.request import Request

SWEEPS = {"tiled": tiled.sweep, "native": native.sweep}


@pytest.mark.fault(
    "Numerics",
    "Distances by `x² + y² - 2xy` cancel far from the origin (pytorch/pytorch#37734, #42479).",
    now="sets are centred first: 2e-5 of brute force in double precision, also shifted by 100",
)
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_values_and_gradients_on_ragged_shapes(backend: str, name: str, shift: float) -> None:
    case = brute.CASES[name]
    for (n, m, d), estimator in zip(SHAPES, itertools.cycle(("unbiased", "biased", "unbiased")), strict=False):
        x, y = (each.clone().requires_grad_() for each in problem(n, m, d, shift))
        value = mmd2(x, y, kernel=case.kernel, backend=backend, estimator=estimator)
        grads = torch.autograd.grad(value, (x, y))
        agree(value, grads, truth_of(name, n, m, d, shift, estimator), case.at_zero)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (40, 1)])
def test_a_single_sample(backend: str, name: str, n: int, m: int) -> None:
    case = brute.CASES[name]
    x, y = torch.randn(n, 5, requires_grad=True), (torch.randn(m, 5) + 1).requires_grad_()
    value = mmd2(x, y, kernel=case.kernel, backend=backend, estimator="biased")
    agree(value, torch.autograd.grad(value, (x, y)), brute.mmd2(case, x, y, "biased"), case.at_zero)


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize(("n", "m", "weighted"), [(70, 45, True), (140, 150, False)])
def test_every_block_and_every_wish(name: str, backend: str, n: int, m: int, weighted: bool) -> None:
    case = brute.CASES[name]
    x, y = problem(n, m, 6)
    u, v = (torch.rand(n), torch.rand(m)) if weighted else (None, None)
    coefs = torch.tensor([0.3, -0.7, 1.1, 0.0], dtype=torch.float64)
    p, q = (np.ones(len(s)) if w is None else brute.plain(w) for s, w in ((x, u), (y, v)))
    units = [brute.combination(case, brute.plain(x), brute.plain(y), p, q, tuple(row)) for row in np.eye(3)]
    size = np.array([n * n, m * m, n * m]) * max(case.at_zero, 3.0)
    for blocks in itertools.product((False, True), repeat=3):
        used = coefs[:3].numpy() * blocks
        slope_x = sum(c * unit.grad_x for c, unit in zip(used, units, strict=True))
        slope_y = sum(c * unit.grad_y for c, unit in zip(used, units, strict=True))
        for want_x, want_y in itertools.product((False, True), repeat=2):
            request = Request(x, y, u, v, coefs, case.kernel, blocks)
            sums, grad_x, grad_y = SWEEPS[backend](request, want_x, want_y)
            assert (sums.dtype, sums.shape, sums[3]) == (torch.float64, (4,), 0)
            assert (np.abs(sums[:3].numpy() - units[0].sums * blocks) <= 2e-6 * size * blocks).all()
            for want, grad, exact in ((want_x, grad_x, slope_x), (want_y, grad_y, slope_y)):
                assert (grad is not None) == want
                if want:
                    assert np.abs(grad.numpy() - exact).max() <= 1e-4 * np.abs(exact).max()


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("wanted", ["x", "y"])
def test_gradients_of_one_set_only(backend: str, wanted: str) -> None:
    x, y = problem(65, 129, 3)
    leaf = (x if wanted == "x" else y).clone().requires_grad_()
    value = mmd2(*((leaf, y) if wanted == "x" else (x, leaf)), kernel=brute.CASES["imq"].kernel, backend=backend)
    (grad,) = torch.autograd.grad(value, leaf)
    truth = truth_of("imq", 65, 129, 3, 0.0, "unbiased")
    exact = truth.grad_x if wanted == "x" else truth.grad_y
    assert np.abs(grad.numpy() - exact).max() < 1e-4 * np.abs(exact).max()


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "sliced"])
def test_layouts(backend: str, layout: str) -> None:
    x = {
        "transposed": torch.randn(7, 50).T, "strided": torch.randn(100, 14)[::2, ::2],
        "expanded": torch.randn(50, 1).expand(50, 7), "sliced": torch.randn(60, 20)[5:55, 3:10],
    }[layout].requires_grad_()  # fmt: skip
    y = torch.randn(9, 40).T[:, 1:8].requires_grad_()
    assert not x.is_contiguous()
    value = mmd2(x, y, kernel=brute.CASES["rbf"].kernel, backend=backend)
    agree(value, torch.autograd.grad(value, (x, y)), brute.mmd2(brute.CASES["rbf"], x, y), 4.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(backend: str, dtype: torch.dtype) -> None:
    x, y = (each.to(dtype).requires_grad_() for each in problem(60, 50, 8))
    truth = brute.mmd2(brute.CASES["imq"], x, y)
    value = mmd2(x, y, kernel=brute.CASES["imq"].kernel, backend=backend)
    assert (value.dtype, value.item()) == (torch.float32, pytest.approx(truth.value, abs=2e-5))
    for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
        assert grad.dtype == dtype
        rounding = torch.finfo(dtype).eps + 2**-24 / np.abs(exact).max()
        assert np.abs(grad.double().numpy() - exact).max() < rounding * np.abs(exact).max() + 1e-6


def test_autocast_changes_nothing(backend: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(60, 50, 8, 10.0))
    plain = mmd2(x, y, backend=backend), mmd2_to_prior(x, backend=backend)
    with torch.autocast("cpu", torch.bfloat16):
        cast = mmd2(x, y, backend=backend), mmd2_to_prior(x, backend=backend)
    assert cast == plain
    for one, other in zip(plain, cast, strict=True):
        assert torch.equal(torch.autograd.grad(one, x)[0], torch.autograd.grad(other, x)[0])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_in_nan_out(backend: str, name: str, bad: float) -> None:
    for which, where in itertools.product((0, 1), ((0, 0), (33, 2), (64, 4))):
        sets = [torch.randn(65, 5), torch.randn(70, 5)]
        sets[which][where] = bad
        assert mmd2(*sets, kernel=brute.CASES[name].kernel, backend=backend).isnan()


def test_the_same_call_twice(backend: str, name: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(300, 190, 64))
    first, second = (mmd2(x, y, kernel=brute.CASES[name].kernel, backend=backend) for _ in range(2))
    assert torch.equal(first, second)
    for a, b in zip(torch.autograd.grad(first, (x, y)), torch.autograd.grad(second, (x, y)), strict=True):
        assert torch.equal(a, b)


def test_collapsed_codes_and_duplicates(backend: str, name: str) -> None:
    case = brute.CASES[name]
    x, y = torch.full((40, 5), 3.7, requires_grad=True), torch.randn(30, 5, requires_grad=True)
    value = mmd2(x, y, kernel=case.kernel, backend=backend)
    grads = torch.autograd.grad(value, (x, y))
    agree(value, grads, brute.mmd2(case, x, y), case.at_zero)
    twins = torch.randn(20, 5).repeat(3, 1).requires_grad_()
    value = mmd2(twins, twins.detach()[:33], kernel=case.kernel, backend=backend)
    (grad,) = torch.autograd.grad(value, twins)
    truth = brute.mmd2(case, twins, twins[:33])
    assert value.item() == pytest.approx(truth.value, abs=2e-5)
    assert np.abs(grad.numpy() - truth.grad_x).max() < 2e-3 * np.abs(truth.grad_x).max()
    same = mmd2(torch.ones(9, 2), torch.ones(7, 2), kernel=case.kernel, backend=backend)
    assert abs(same.item()) < 1e-6
