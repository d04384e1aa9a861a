"""The custom operator, and torch.compile around it."""

import pytest
import torch
from sweeps import FUSED, problem
from torch._dynamo.testing import CompileCounter

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy, RationalQuadratic

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


@pytest.mark.fault(
    "Numerics",
    "A custom operator costs ten microseconds a call in eager code too (pytorch/pytorch#176592).",
    now="only compiled code calls it",
)
def test_eager_code_calls_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interpreg.mmd.dispatch._compiled", lambda request, backend: pytest.fail("an operator"))
    x, y = (each.clone().requires_grad_() for each in problem(20, 17, 3))
    mmd2(x, y).backward()
    mmd2_to_prior(x).backward()
    assert x.grad.norm() > 0


def test_compiled_once_for_one_shape() -> None:
    counter = CompileCounter()
    compiled = torch.compile(lambda x, y: mmd2(x, y) + mmd2_to_prior(x), fullgraph=True, backend=counter)
    for _ in range(4):
        compiled(torch.randn(20, 3, requires_grad=True), torch.randn(17, 3))
    assert counter.frame_count == 1


@pytest.mark.fault(
    "Compiled code",
    "`opcheck` does not look at gradients, and its absence goes unnoticed.",
    now="the operator passes `opcheck`; gradients are compared with brute force apart from it",
)
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
        blocks, prior = [True, False, False], [0.1, 1.2]
        inputs = (x, None, None, None, coefs, kind, numbers, blocks, prior, backend, True, False)
    torch.library.opcheck(torch.ops.interpreg.sweep, inputs)
