"""Three ways to sweep the same sums, how autograd and the compiler see them, and what happens without a compiler."""

import itertools
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import brute
import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy, InverseMultiquadric, RationalQuadratic
from interpreg.mmd import native, tiled
from interpreg.mmd.request import Request

NAMES = list(brute.CASES)
needs_native = pytest.mark.skipif(bool(native.why_not()), reason=native.why_not() or "there")
NATIVE = pytest.param("native", marks=needs_native)
BACKENDS = ["reference", "tiled", NATIVE]
FUSED = ["tiled", NATIVE]
SWEEPS = {"tiled": tiled.sweep, "native": native.sweep}
SHAPES = [
    (2, 2, 1), (2, 3, 3), (3, 2, 64), (9, 33, 2), (64, 64, 17), (65, 129, 3), (128, 31, 257), (129, 260, 17),
    (33, 8, 512), (300, 190, 64), (63, 385, 31), (8, 40, 513),
]  # fmt: skip


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@lru_cache(maxsize=64)
def problem(n: int, m: int, d: int, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples at distances of about the kernels' bandwidths; on the line, evenly apart, where all are close."""
    g = torch.Generator().manual_seed(1000 * n + m + d)
    x, y = torch.randn(n, d, generator=g), 1.3 * torch.randn(m, d, generator=g) + 0.5
    if d == 1:
        x, y = torch.arange(n)[:, None] * 0.3, torch.arange(m)[:, None] * 0.37 + 0.11
    return 3 / d**0.5 * x + shift, 3 / d**0.5 * y + shift


@lru_cache(maxsize=256)
def truth_of(name: str, n: int, m: int, d: int, shift: float, estimator: str) -> brute.Truth:
    return brute.mmd2(brute.CASES[name], *problem(n, m, d, shift), estimator)


def agree(value: torch.Tensor, grads: list, truth: brute.Truth, at_zero: float, grad_tol: float = 1e-4) -> None:
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(truth.value, abs=1e-5 * max(at_zero, 2.0))
    for got, exact in zip(grads, (truth.grad_x, truth.grad_y), strict=True):
        assert np.abs(got.numpy() - exact).max() < grad_tol * np.abs(exact).max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_values_and_gradients_on_ragged_shapes(backend: str, name: str, shift: float) -> None:
    case = brute.CASES[name]
    for (n, m, d), estimator in zip(SHAPES, itertools.cycle(("unbiased", "biased", "unbiased")), strict=False):
        x, y = (each.clone().requires_grad_() for each in problem(n, m, d, shift))
        value = mmd2(x, y, kernel=case.kernel, backend=backend, estimator=estimator)
        grads = torch.autograd.grad(value, (x, y))
        agree(value, grads, truth_of(name, n, m, d, shift, estimator), case.at_zero)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (40, 1)])
def test_a_single_sample(backend: str, name: str, n: int, m: int) -> None:
    case = brute.CASES[name]
    x, y = torch.randn(n, 5, requires_grad=True), (torch.randn(m, 5) + 1).requires_grad_()
    value = mmd2(x, y, kernel=case.kernel, backend=backend, estimator="biased")
    agree(value, torch.autograd.grad(value, (x, y)), brute.mmd2(case, x, y, "biased"), case.at_zero)


@needs_native
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(700, 300), (1025, 641), (641, 70)])
@pytest.mark.parametrize("name", ["rbf", "energy"])
def test_threads(name: str, n: int, m: int, count: int, threads, monkeypatch: pytest.MonkeyPatch) -> None:
    case = brute.CASES[name]
    monkeypatch.setattr(native, "THREAD_WORK", 1.0)
    threads(count)
    x, y = (each.clone().requires_grad_() for each in problem(n, m, 9))
    request = Request(x, y, None, None, torch.ones(4).double(), case.kernel, (True, True, True))
    assert native._threads(request, True) == min(count, n // 128)
    value = mmd2(x, y, kernel=case.kernel, backend="native")
    grads = torch.autograd.grad(value, (x, y))
    agree(value, grads, truth_of(name, n, m, 9, 0.0, "unbiased"), case.at_zero)
    with torch.no_grad():
        assert mmd2(x, y, kernel=case.kernel, backend="native").item() == pytest.approx(value.item(), abs=1e-6)


@needs_native
def test_threads_never_write_to_one_strip_at_once(threads) -> None:
    """All of y fits one tile, so that every thread wants it in some round; what is overwritten is lost."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(16000, 64, generator=g), torch.randn(100, 64, generator=g)
    coefs = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    request = Request(x, y, None, None, coefs, RBF(8.0), (False, False, True))
    threads(1)
    alone = native.sweep(request, False, True).grad_y
    threads(2)
    for _ in range(8):
        assert (native.sweep(request, False, True).grad_y - alone).norm() < 1e-5 * alone.norm()


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("name", NAMES)
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
            assert sums.dtype == torch.float64
            assert sums.shape == (4,)
            assert sums[3] == 0
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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "sliced"])
def test_layouts(backend: str, layout: str) -> None:
    x = {
        "transposed": torch.randn(7, 50).T,
        "strided": torch.randn(100, 14)[::2, ::2],
        "expanded": torch.randn(50, 1).expand(50, 7),
        "sliced": torch.randn(60, 20)[5:55, 3:10],
    }[layout].requires_grad_()
    y = torch.randn(9, 40).T[:, 1:8].requires_grad_()
    assert not x.is_contiguous()
    value = mmd2(x, y, kernel=brute.CASES["rbf"].kernel, backend=backend)
    agree(value, torch.autograd.grad(value, (x, y)), brute.mmd2(brute.CASES["rbf"], x, y), 4.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(backend: str, dtype: torch.dtype) -> None:
    x, y = (each.to(dtype).requires_grad_() for each in problem(60, 50, 8))
    truth = brute.mmd2(brute.CASES["imq"], x, y)
    value = mmd2(x, y, kernel=brute.CASES["imq"].kernel, backend=backend)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(truth.value, abs=2e-5)
    for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
        assert grad.dtype == dtype
        rounding = torch.finfo(dtype).eps + 2**-24 / np.abs(exact).max()
        assert np.abs(grad.double().numpy() - exact).max() < rounding * np.abs(exact).max() + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_double_precision_through_tiles(name: str) -> None:
    for n, m, d in ((65, 129, 3), (300, 190, 64)):
        x, y = (each.double().requires_grad_() for each in problem(n, m, d))
        truth = truth_of(name, n, m, d, 0.0, "unbiased")
        value = mmd2(x, y, kernel=brute.CASES[name].kernel, backend="tiled")
        assert value.item() == pytest.approx(truth.value, abs=1e-12)
        for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
            np.testing.assert_allclose(grad, exact, atol=1e-12)
    mixed = mmd2(x.detach(), y.detach().float())
    assert mixed.dtype == torch.float64


def test_tiles_of_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "CPU_TILES", (7, 16))
    x, y = (each.double().requires_grad_() for each in problem(65, 129, 3))
    for name in NAMES:
        truth = truth_of(name, 65, 129, 3, 0.0, "unbiased")
        value = mmd2(x, y, kernel=brute.CASES[name].kernel, backend="tiled")
        assert value.item() == pytest.approx(truth.value, abs=1e-12)
        for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
            np.testing.assert_allclose(grad, exact, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_changes_nothing(backend: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(60, 50, 8, 10.0))
    plain = mmd2(x, y, backend=backend), mmd2_to_prior(x, backend=backend)
    with torch.autocast("cpu", torch.bfloat16):
        cast = mmd2(x, y, backend=backend), mmd2_to_prior(x, backend=backend)
    assert cast == plain
    for one, other in zip(plain, cast, strict=True):
        assert torch.equal(torch.autograd.grad(one, x)[0], torch.autograd.grad(other, x)[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_in_nan_out(backend: str, name: str, bad: float) -> None:
    for which, where in itertools.product((0, 1), ((0, 0), (33, 2), (64, 4))):
        sets = [torch.randn(65, 5), torch.randn(70, 5)]
        sets[which][where] = bad
        assert mmd2(*sets, kernel=brute.CASES[name].kernel, backend=backend).isnan()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_twice(backend: str, name: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(300, 190, 64))
    first, second = (mmd2(x, y, kernel=brute.CASES[name].kernel, backend=backend) for _ in range(2))
    assert torch.equal(first, second)
    for a, b in zip(torch.autograd.grad(first, (x, y)), torch.autograd.grad(second, (x, y)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
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


@needs_native
def test_many_bandwidths() -> None:
    widths = tuple(0.5 + 0.1 * k for k in range(64))
    x, y = problem(65, 129, 3)
    for kind in (RBF, InverseMultiquadric):
        torch.testing.assert_close(
            mmd2(x, y, kernel=kind(widths), backend="native"),
            mmd2(x.double(), y.double(), kernel=kind(widths), backend="reference").float(),
            rtol=1e-4,
            atol=1e-4,
        )
        with pytest.raises(ValueError, match="which cannot"):
            mmd2(x, y, kernel=kind((*widths, 9.0)), backend="native")
        assert mmd2(x, y, kernel=kind((*widths, 9.0))).isfinite()


@needs_native
@pytest.mark.parametrize("alpha", [0.1, 0.5, 4.0, 50.0])
def test_powers_of_rational_quadratics(alpha: float) -> None:
    kernel = RationalQuadratic((0.8, 5.0), alpha=alpha)
    x, y = (each.clone().requires_grad_() for each in problem(65, 129, 3))
    exact = [each.detach().double().requires_grad_() for each in (x, y)]
    value, truth = mmd2(x, y, kernel=kernel, backend="native"), mmd2(*exact, kernel=kernel, backend="reference")
    assert value.item() == pytest.approx(truth.item(), abs=1e-5)
    for got, slope in zip(torch.autograd.grad(value, (x, y)), torch.autograd.grad(truth, exact), strict=True):
        assert (got - slope).abs().max() < 1e-4 * slope.abs().max()


# ---- derivatives


@pytest.mark.parametrize("backend", ["reference", "tiled"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("estimator", ["unbiased", "biased", "linear"])
def test_derivatives_of_every_order_and_direction(name: str, backend: str, estimator: str) -> None:
    if estimator == "linear" and backend == "tiled":
        pytest.skip("no backend sweeps pairs of pairs")
    x, y = torch.randn(4, 3).double().requires_grad_(), torch.randn(5, 3).double().requires_grad_()

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return mmd2(x, y, kernel=brute.CASES[name].kernel, backend=backend, estimator=estimator)

    assert gradcheck(value, (x, y), check_forward_ad=True)
    assert gradgradcheck(value, (x, y))
    assert gradgradcheck(lambda y: value(x.detach(), y), (y,))


@needs_native
@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_of_native(name: str) -> None:
    kernel, results = brute.CASES[name].kernel, []
    for backend in ("native", "reference"):
        x, y = (each.clone().requires_grad_() for each in problem(30, 20, 8))
        grads = torch.autograd.grad(mmd2(x, y, kernel=kernel, backend=backend), (x, y), create_graph=True)
        results.append(torch.autograd.grad(sum((g**2).sum() for g in grads), (x, y)))
    for native_one, dense in zip(*results, strict=True):
        torch.testing.assert_close(native_one, dense, rtol=1e-4, atol=1e-6 * dense.abs().max().item())


@pytest.mark.parametrize("backend", FUSED)
def test_second_derivatives_through_a_nonlinear_encoder(backend: str) -> None:
    """The incoming gradient needs none, so that only grad mode says that a graph was asked for."""
    torch.manual_seed(1)
    data, y = torch.randn(20, 6), torch.randn(15, 4)
    weights = [torch.randn(6, 4) * 0.5, torch.randn(6, 4)]

    def curvature(how: str, dtype: torch.dtype) -> torch.Tensor:
        w = weights[0].to(dtype).requires_grad_()
        loss = mmd2(torch.tanh(data.to(dtype) @ w), y.to(dtype), kernel=RBF((0.7, 2.0)), backend=how)
        (g,) = torch.autograd.grad(loss, w, create_graph=True)
        (h,) = torch.autograd.grad((g * weights[1].to(dtype)).sum(), w)
        return h.double()

    exact = curvature("reference", torch.float64)
    assert (curvature(backend, torch.float32) - exact).norm() < 1e-4 * exact.norm()


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("relation", ["the same", "y of x", "x of y", "both of one"])
def test_gradients_with_a_graph_equal_those_without_where_the_sets_depend_on_each_other(
    backend: str, relation: str
) -> None:
    root = torch.randn(12, 3, requires_grad=True)

    def value() -> torch.Tensor:
        pair = {
            "the same": lambda: (root, root),
            "y of x": lambda: (root, torch.tanh(2 * root) + 1),
            "x of y": lambda: (torch.tanh(2 * root) + 1, root),
            "both of one": lambda: ((2 * root)[:7], root.square()[5:]),
        }[relation]()
        return mmd2(*pair, kernel=RBF(1.3), backend=backend)

    (plain,) = torch.autograd.grad(value(), root)
    (graphed,) = torch.autograd.grad(value(), root, create_graph=True)
    torch.testing.assert_close(graphed, plain, rtol=1e-4, atol=1e-6)
    assert plain.abs().max() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_scaled_by_what_comes_in(backend: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(30, 20, 8))
    unit = torch.autograd.grad(mmd2(x, y, backend=backend), (x, y))
    value = mmd2(x, y, backend=backend)
    for once, scaled in zip(unit, torch.autograd.grad(-3.5 * value, (x, y)), strict=True):
        torch.testing.assert_close(scaled, -3.5 * once, rtol=1e-6, atol=1e-7)
    (x, y) = (each.detach().clone().requires_grad_() for each in (x, y))
    (2 * mmd2(x, y, backend=backend)).backward()
    mmd2(x, y, backend=backend).backward()
    torch.testing.assert_close(x.grad, 3 * unit[0], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", ["numbers", "median"])
def test_forward_mode_and_transforms(backend: str, rule: str) -> None:
    kernel = RBF((0.9, 2.0)) if rule == "numbers" else RBF("median")
    x, y = problem(14, 3, 3)
    tangent = torch.randn(14, 3)

    def value(x: torch.Tensor) -> torch.Tensor:
        return mmd2(x, y, kernel=kernel, backend=backend)

    exact = x.double().requires_grad_()
    (slope,) = torch.autograd.grad(mmd2(exact, y.double(), kernel=kernel, backend="reference"), exact)
    along = (slope * tangent).sum().float()
    _, forward = torch.func.jvp(value, (x,), (tangent,))
    torch.testing.assert_close(forward, along, rtol=1e-4, atol=1e-6)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(value(forward_ad.make_dual(x, tangent)))
    torch.testing.assert_close(dual.tangent, along, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(torch.func.grad(value)(x), slope.float(), rtol=1e-4, atol=1e-6)
    per_pair = torch.func.vmap(torch.func.grad(value))(torch.stack([x, x + 1]))
    torch.testing.assert_close(per_pair[0], slope.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("name", ["rbf", "imq"])
def test_the_hessian(backend: str, name: str) -> None:
    x, y = problem(5, 4, 2)
    kernel = brute.CASES[name].kernel
    hessian = torch.func.hessian(lambda x: mmd2(x, y, kernel=kernel, backend=backend))(x)
    step, a, b = 1e-5, brute.plain(x), torch.as_tensor(y)
    rows = []
    for i, k in itertools.product(range(5), range(2)):
        shift = np.zeros((5, 2))
        shift[i, k] = step
        up, down = (
            brute.mmd2(brute.CASES[name], torch.from_numpy(each), b).grad_x for each in (a + shift, a - shift)
        )
        rows.append((up - down) / (2 * step))
    exact = np.stack(rows).reshape(5, 2, 5, 2)
    np.testing.assert_allclose(hessian, exact, atol=1e-4 * np.abs(exact).max())


@pytest.mark.parametrize("transform", ["inference", "jacfwd", "vmap", "grad"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_call_within_a_transform_leaves_nothing_behind(transform: str, backend: str) -> None:
    n = 20 + ["inference", "jacfwd", "vmap", "grad"].index(transform)  # sizes that no other test has
    m = 50 + ["reference", "tiled", "native"].index(backend)
    dtype = torch.float32 if backend == "native" else torch.float64
    x, y = (each.to(dtype) for each in problem(n, m, 2))
    if transform == "inference":
        with torch.inference_mode():
            mmd2(x, y, backend=backend)
    elif transform == "vmap":
        torch.func.vmap(torch.func.grad(mmd2))(torch.stack([x, x]), torch.stack([y, y]))
    else:
        getattr(torch.func, transform)(mmd2)(x, y)
    x.requires_grad_()
    (plain,) = torch.autograd.grad(mmd2(x, y, backend=backend), x)
    (graphed,) = torch.autograd.grad(mmd2(x, y, backend=backend), x, create_graph=True)
    graphed.sum().backward()
    torch.testing.assert_close(plain, graphed, rtol=1e-4, atol=1e-7)


def test_writing_to_a_sample_before_the_backward_is_noticed() -> None:
    x = torch.randn(9, 2, requires_grad=True)
    z = x * 1
    value = mmd2(z, torch.randn(8, 2))
    z.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


# ---- compiled


COMPILED = {
    "auto": lambda x, y: mmd2(x, y),
    "tiled": lambda x, y: mmd2(x, y, backend="tiled", kernel=RBF(1.5)),
    "reference": lambda x, y: mmd2(x, y, backend="reference"),
    "biased": lambda x, y: mmd2(x, y, estimator="biased", kernel=RationalQuadratic((0.9, 3.1), alpha=1.7)),
    "weighted": lambda x, y: mmd2(x, y, y_weights=y[:, 0].detach().abs()),
    "energy": lambda x, y: mmd2(x, y, kernel=Energy()),
    "median": lambda x, y: mmd2(x, y, kernel=RBF("median")),
    "linear": lambda x, y: mmd2(x, y, estimator="linear"),
    "prior": lambda x, y: mmd2_to_prior(x) + y.sum() * 0,
    "prior, tiled": lambda x, y: mmd2_to_prior(x, backend="tiled") + y.sum() * 0,
    "prior, energy": lambda x, y: mmd2_to_prior(x, kernel=Energy()) + y.sum() * 0,
    "prior, weighted": lambda x, y: mmd2_to_prior(x, weights=x[:, 0].detach().abs()) + y.sum() * 0,
}


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name: str, backend: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(20, 17, 3))
    expected = COMPILED[name](x, y)
    slopes = torch.autograd.grad(expected, (x, y))
    value = torch.compile(COMPILED[name], fullgraph=True, backend=backend)(x, y)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)
    for got, slope in zip(torch.autograd.grad(2 * value, (x, y)), slopes, strict=True):
        torch.testing.assert_close(got, 2 * slope, rtol=1e-5, atol=1e-8)


def test_compiled_once_for_one_shape() -> None:
    counter = CompileCounter()
    compiled = torch.compile(lambda x, y: mmd2(x, y) + mmd2_to_prior(x), fullgraph=True, backend=counter)
    for _ in range(4):
        compiled(torch.randn(20, 3, requires_grad=True), torch.randn(17, 3))
    assert counter.frame_count == 1


@pytest.mark.parametrize("backend", FUSED)
@pytest.mark.parametrize("against", ["samples", "prior"])
@pytest.mark.parametrize("kind", ["rbf", "energy"])
def test_the_operator(backend: str, against: str, kind: str) -> None:
    x, y = (each.clone().requires_grad_() for each in problem(20, 17, 3))
    coefs = torch.tensor([0.3, 0.2, -0.5, 0.1], dtype=torch.float64)
    numbers = [2.0, 1.0] if kind == "rbf" else []
    if against == "samples":
        inputs = (x, y, None, torch.rand(17), coefs, kind, numbers, [True, True, True], [], backend, True, True)
    else:
        inputs = (
            x,
            None,
            None,
            None,
            coefs,
            kind,
            numbers,
            [True, False, False],
            [0.1, 1.2],
            backend,
            True,
            False,
        )
    torch.library.opcheck(torch.ops.interpreg.sweep, inputs)


# ---- other processes

SOURCE = str(Path(native.__file__).parents[2])


def run(code: str, timeout: int = 60, **environment: str) -> str:
    """What a fresh Python prints; its warnings are errors."""
    variables = {**os.environ, "PYTHONPATH": SOURCE, **environment}
    prelude = (
        "import torch\nfrom interpreg.functional import mmd2, mmd2_to_prior\nfrom interpreg.mmd import native\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", prelude + code],
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-2000:] or f"ended with {done.returncode}"
    assert done.stderr == ""
    return done.stdout


FALLS_BACK = """
x = torch.arange(60.0).reshape(20, 3).sin().requires_grad_()
y = torch.arange(45.0).reshape(15, 3).cos()
value = mmd2(x, y)
value.backward()
other = torch.zeros_like(x).copy_(x.detach()).requires_grad_()
dense = mmd2(other, y, backend="reference")
dense.backward()
assert (value - dense).abs() < 1e-6 and (x.grad - other.grad).abs().max() < 1e-6
assert mmd2_to_prior(x).isfinite()
try:
    mmd2(x, y, backend="native")
except ValueError as error:
    print(error)
"""


def test_forbidden_to_compile() -> None:
    printed = run(FALLS_BACK, INTERPREG_NATIVE="0")
    assert printed.startswith(
        "backend: expected one that can do this here, 'auto', 'reference', 'tiled', got 'native'"
    )
    assert "INTERPREG_NATIVE=0" in printed


def test_no_compiler(tmp_path: Path) -> None:
    printed = run(FALLS_BACK, CC="/nonexistent", XDG_CACHE_HOME=str(tmp_path))
    assert printed.startswith(
        "backend: expected one that can do this here, 'auto', 'reference', 'tiled', got 'native'"
    )
    assert "no C compiler" in printed


@needs_native
def test_a_compiler_that_fails_and_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    printed = run(FALLS_BACK, CC="false", XDG_CACHE_HOME=str(tmp_path), TMPDIR=str(tmp_path))
    assert "false failed" in printed
    assert list(tmp_path.rglob("*.so")) == []


@needs_native
def test_memory_that_is_not_zero_is_never_read() -> None:
    """glibc fills what it hands out; ragged shapes, so that tiles are padded."""
    code = """
torch.manual_seed(0)
for n, m, d in ((37, 21, 5), (130, 300, 33)):
    for kwargs in ({}, {"x_weights": torch.rand(n)}):
        x, y = torch.randn(n, d, requires_grad=True), torch.randn(m, d, requires_grad=True)
        value = mmd2(x, y, backend="native", **kwargs)
        grads = torch.autograd.grad(value, (x, y))
        dense = mmd2(x, y, backend="reference", **kwargs)
        exact = torch.autograd.grad(dense, (x, y))
        assert (value - dense).abs() < 1e-5, (value, dense)
        assert all((a - b).abs().max() < 1e-5 for a, b in zip(grads, exact))
"""
    run(code, MALLOC_PERTURB_="1")


@needs_native
def test_memory_stays_linear() -> None:
    """16384 x 64: every matrix of pairs would take a gigabyte."""
    code = """
import resource
x, y = torch.randn(16384, 64, requires_grad=True), torch.randn(4096, 64, requires_grad=True)
mmd2(x[:512], y[:512], backend="native").backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
mmd2(x, y, backend="native").backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    assert int(run(code)) < 64 * 1024  # KiB


@needs_native
def test_a_default_device_is_no_concern_of_tensors_that_are_there() -> None:
    run('x = torch.randn(30, 3)\ntorch.set_default_device("meta")\nassert mmd2(x, x + 1) > 0\n')
