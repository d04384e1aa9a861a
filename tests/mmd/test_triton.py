"""The Triton kernel against the dense reference in float64: on the GPU, or without one in the interpreter."""

import subprocess
import sys
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from interpreg.functional import mmd2
from interpreg.kernels import RBF, Energy, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic
from interpreg.mmd import reference, triton
from interpreg.mmd.request import Request
from interpreg.priors import Normal

pytest.importorskip("triton")  # the root's conftest.py has imported it, interpreted where there is no GPU
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
KERNELS: dict[str, Kernel] = {
    "rbf": RBF(bandwidths=(2.0, 4.0, 8.0 / 2**0.5, 9.0, 9.0 * 2**0.5)),  # anew, and squared once and twice
    "imq": InverseMultiquadric(bandwidths=(1.0, 4.0)),
    "rq": RationalQuadratic(bandwidths=(1.0, 4.0), alpha=0.8),
    "laplacian": Laplacian(bandwidths=(1.0, 4.0)),
    "energy": Energy(),
}
SHAPES = [(5, 3, 1), (33, 70, 17), (64, 64, 64), (130, 100, 40)]
ALL = (True, True, True)


class Answer(NamedTuple):
    """What the reference says."""

    sums: list[float]
    grad_x: Tensor
    grad_y: Tensor | None


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE == "cpu":
        monkeypatch.setenv("TRITON_INTERPRET", "1")


def asked(
    n: int, m: int, d: int, kernel=KERNELS["imq"], *, weighted=False, shift=0.0, blocks=ALL, prior=None
) -> Request:
    """A request whose terms all weigh about the same and none cancels another."""
    g = torch.Generator().manual_seed(n + m + d)
    x, y = torch.randn(n, d, generator=g) + shift, 0.7 * torch.randn(m, d, generator=g) + shift + 0.5
    u = torch.rand(n, generator=g) + 0.1 if weighted else None
    v = torch.rand(m, generator=g) + 0.1 if weighted else None
    coefs = torch.tensor([1 / n**2, 0.7 / m**2, -1.3 / (n * m), -0.9 / n], dtype=torch.float64)
    x, y, u, v, coefs = (None if each is None else each.to(DEVICE) for each in (x, y, u, v, coefs))
    return Request(x, y, u, v, coefs, kernel, blocks, prior)


def answer(request: Request) -> Answer:
    x, y, u, v = (None if each is None else each.double() for each in request[:4])
    x = x.requires_grad_()
    y = None if y is None else y.requires_grad_()
    request = request._replace(x=x, y=y, u=u, v=v)
    sums = []
    for i in range(4):  # one at a time
        blocks = tuple(b and i == j for j, b in enumerate(request.blocks))
        only = request._replace(blocks=blocks, coefs=torch.ones(4))
        value = reference.value(only if i == 3 else only._replace(prior=None))
        sums.append(value.item() - (only.closed.self_energy if i == 3 and request.prior else 0.0))
    leaves = [x] if y is None else [x, y]
    total = reference.value(request) + 0 * sum(each.sum() for each in leaves)
    grads = torch.autograd.grad(total, leaves)
    return Answer(sums, grads[0], None if y is None else grads[1])


def agrees(request: Request, want_x: bool = True, want_y: bool = True) -> None:
    assert triton.refuses(request) == ""
    swept, truth = triton.sweep(request, want_x, want_y), answer(request)
    assert (swept.sums.dtype, swept.sums.shape) == (torch.float64, (4,))
    assert swept.sums.tolist() == pytest.approx(truth.sums, rel=1e-6, abs=1e-6)
    for wanted, grad, slope in ((want_x, swept.grad_x, truth.grad_x), (want_y, swept.grad_y, truth.grad_y)):
        assert (grad is not None) == (wanted and slope is not None)
        if grad is not None and slope is not None:
            assert grad.dtype == torch.float32
            assert (grad - slope).norm() <= 3e-6 * slope.norm() + 1e-9
            atol = 1e-5 * float(slope.abs().max()) + 1e-12
            torch.testing.assert_close(grad.double(), slope, rtol=1e-3, atol=atol)


@pytest.mark.fault(
    "Numerics",
    "Kernels are wrong where no GPU is there to tell.",
    now="they run in Triton's interpreter, against the dense formula",
)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
@pytest.mark.parametrize("name", KERNELS)
def test_sums_and_gradients(name: str, n: int, m: int, d: int, weighted: bool, monkeypatch) -> None:
    monkeypatch.setattr(triton, "MAX_ROWS_OF_SMALL_BLOCKS", 2048 if d == 17 else 0)  # small blocks and large
    agrees(asked(n, m, d, KERNELS[name], weighted=weighted))


@pytest.mark.parametrize("wanted", list(product([False, True], repeat=2)), ids=["none", "y", "x", "both"])
@pytest.mark.parametrize(
    "blocks", list(product([False, True], repeat=3)), ids=lambda b: "".join(str(int(i)) for i in b)
)
def test_any_blocks_and_any_gradients(blocks: tuple[bool, bool, bool], wanted: tuple[bool, bool]) -> None:
    agrees(asked(40, 35, 3, weighted=True, blocks=blocks), *wanted)


@pytest.mark.parametrize("d", [3, 40])
def test_values_alone_in_large_blocks(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "MAX_ROWS_OF_SMALL_BLOCKS", 0)
    agrees(asked(150, 70, d, weighted=True), False, False)
    agrees(asked(150, 70, d, weighted=True), False, True)


@pytest.mark.parametrize(("n", "m", "d", "kernel", "apart"), [
    (50, 40, 8, Laplacian(bandwidths=(400.0,)), 300.0),  # sets far from each other
    (40, 20, 100, RBF(bandwidths=(10.0, 20.0)), 0.0), (40, 20, 256, RBF(bandwidths=(10.0, 20.0)), 0.0),
    (1, 1, 1, KERNELS["rbf"], 0.0), (1, 20, 1, KERNELS["rbf"], 0.0), (20, 1, 1, KERNELS["rbf"], 0.0),
])  # fmt: skip
def test_far_wide_and_single_samples(n: int, m: int, d: int, kernel: Kernel, apart: float) -> None:
    request = asked(n, m, d, kernel)
    agrees(request._replace(y=request.y + apart))


@pytest.mark.parametrize("name", KERNELS)
def test_far_from_the_origin(name: str) -> None:
    agrees(asked(50, 40, 8, KERNELS[name], shift=100.0, weighted=True))


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_a_prior_in_closed_form(name: str, weighted: bool, wanted: bool) -> None:
    request = asked(40, 1, 6, KERNELS[name], weighted=weighted, blocks=(True, False, False))
    request = request._replace(prior=Normal(0.3, 1.2))
    agrees(request._replace(y=None, v=None), wanted, False)
    agrees(request._replace(y=None, v=None, blocks=(False, False, False)), wanted, False)


@pytest.mark.parametrize("name", ["laplacian", "energy"])
def test_samples_that_coincide(name: str) -> None:
    """The root has no derivative there; 0 is taken."""
    request = asked(20, 20, 3, KERNELS[name])
    swept = triton.sweep(request._replace(x=torch.ones_like(request.x), y=torch.ones_like(request.y)), True, True)
    own = KERNELS[name].at_zero
    assert swept.sums.tolist() == pytest.approx([380 * own, 380 * own, 400 * own, 0])
    assert not swept.grad_x.any()
    assert not swept.grad_y.any()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_hidden(name: str, bad: float) -> None:
    request = asked(20, 40, 3, KERNELS[name])
    request.y[3, 1] = bad
    with np.errstate(invalid="ignore"):  # the interpreter computes with numpy
        swept = triton.sweep(request, True, True)
    assert swept.sums[0].isfinite()
    assert swept.sums[1:3].isnan().all()
    assert swept.grad_x.isnan().any(1).all()
    assert swept.grad_y.isnan().any(1).all()


def test_through_the_public_door() -> None:
    request = asked(40, 30, 5)
    x, y = request.x.requires_grad_(), request.y.requires_grad_()
    for estimator in ("unbiased", "biased"):
        values = [mmd2(x, y, estimator=estimator, backend=backend) for backend in ("triton", "reference")]
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-6)
        for mine, theirs in zip(*(torch.autograd.grad(value, (x, y)) for value in values), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)


def test_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(4, 4, 3)
    assert "float64" in triton.refuses(request._replace(x=request.x.double()))
    assert "up to 256 coordinates, got 257; 'tiled'" in triton.refuses(asked(2, 2, 257))

    class Cauchy(Kernel):
        def profile(self, sq: Tensor) -> Tensor:
            return 1 / (1 + sq)

    assert "does not have the kernel" in triton.refuses(request._replace(kernel=Cauchy()))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert triton.refuses(asked(4, 4, 3)._replace(x=torch.zeros(4, 3))) == "the tensors are on cpu"


def test_without_triton_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'triton'")

    triton.why_not.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(triton, "_kernels", missing)
        assert "pip install 'interpreg[triton]'" in triton.refuses(asked(4, 4, 3))
        triton.why_not.cache_clear()


def test_the_package_does_not_import_triton() -> None:
    code = "import sys, interpreg; from interpreg.mmd import triton; sys.exit('triton' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.cuda
@pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")
def test_the_device_is_not_waited_for() -> None:
    request = asked(100, 70, 8, prior=Normal())
    triton.sweep(request, True, True)  # tables are copied once
    torch.cuda.set_sync_debug_mode("error")
    try:
        triton.sweep(request, True, True)
    finally:
        torch.cuda.set_sync_debug_mode("default")
