"""Derivatives of every order through every backend, forward mode and transforms."""

import itertools

import brute
import numpy as np
import pytest
import torch
from sweeps import FUSED, needs_native, problem
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from interpreg.functional import mmd2
from interpreg.kernels import RBF


@pytest.mark.fault(
    "Numerics",
    "`torch.cdist` has no second derivative (pytorch/pytorch#83510).",
    now="second and forward-mode derivatives are right",
)
@pytest.mark.parametrize("backend", ["reference", "tiled"])
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
def test_gradients_with_a_graph_are_those_without_also_of_dependent_sets(backend: str, relation: str) -> None:
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
