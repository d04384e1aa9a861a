"""The compiled backend: threads, many bandwidths, its memory, and what happens without a compiler."""

import os
import subprocess
import sys
from pathlib import Path

import brute
import pytest
import torch
from sweeps import agree, needs_native, problem, truth_of

from interpreg.functional import mmd2
from interpreg.kernels import RBF, InverseMultiquadric, RationalQuadratic
from interpreg.mmd import native
from interpreg.mmd.request import Request

SOURCE = str(Path(native.__file__).parents[2])
PRELUDE = "import torch\nfrom interpreg.functional import mmd2, mmd2_to_prior\nfrom interpreg.mmd import native\n"
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


@needs_native
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(700, 300), (1025, 641), (641, 70)])
@pytest.mark.parametrize("name", ["rbf", "energy"])
def test_threads(name: str, n: int, m: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = brute.CASES[name]
    monkeypatch.setattr(native, "WORK_PER_THREAD", 1.0)
    torch.set_num_threads(count)
    x, y = (each.clone().requires_grad_() for each in problem(n, m, 9))
    request = Request(x, y, None, None, torch.ones(4).double(), case.kernel, (True, True, True))
    assert native._threads(request, True) == min(count, n // 128)
    value = mmd2(x, y, kernel=case.kernel, backend="native")
    grads = torch.autograd.grad(value, (x, y))
    agree(value, grads, truth_of(name, n, m, 9, 0.0, "unbiased"), case.at_zero)
    with torch.no_grad():
        assert mmd2(x, y, kernel=case.kernel, backend="native").item() == pytest.approx(value.item(), abs=1e-6)


@needs_native
def test_threads_never_write_to_one_strip_at_once() -> None:
    """All of y fits one tile, so that every thread wants it in some round; what is overwritten is lost."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(16000, 64, generator=g), torch.randn(100, 64, generator=g)
    coefs = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    request = Request(x, y, None, None, coefs, RBF(8.0), (False, False, True))
    torch.set_num_threads(1)
    alone = native.sweep(request, False, True).grad_y
    torch.set_num_threads(2)
    for _ in range(8):
        assert (native.sweep(request, False, True).grad_y - alone).norm() < 1e-5 * alone.norm()


@needs_native
def test_many_bandwidths() -> None:
    widths = tuple(0.5 + 0.1 * k for k in range(64))
    x, y = problem(65, 129, 3)
    for kind in (RBF, InverseMultiquadric):
        value = mmd2(x, y, kernel=kind(widths), backend="native")
        exact = mmd2(x.double(), y.double(), kernel=kind(widths), backend="reference")
        torch.testing.assert_close(value, exact.float(), rtol=1e-4, atol=1e-4)
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


def run(code: str, timeout: int = 60, **environment: str) -> str:
    """What a fresh Python prints; its warnings are errors."""
    variables = {**os.environ, "PYTHONPATH": SOURCE, **environment}
    command = [sys.executable, "-W", "error::UserWarning", "-c", PRELUDE + code]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-2000:] or f"ended with {done.returncode}"
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(("environment", "why"), [
    ({"INTERPREG_NATIVE": "0"}, "INTERPREG_NATIVE=0"), ({"CC": "/nonexistent"}, "no C compiler"),
])  # fmt: skip
def test_without_a_compiler_it_says_why(environment: dict[str, str], why: str, tmp_path: Path) -> None:
    printed = run(FALLS_BACK, XDG_CACHE_HOME=str(tmp_path), **environment)
    expected = "backend: expected one that can do this here, 'auto', 'reference', 'tiled', got 'native'"
    assert printed.startswith(expected)
    assert why in printed


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
