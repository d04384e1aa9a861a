"""What the tests of the backends share: their names, ragged shapes, samples, and brute force on them."""

from functools import lru_cache

import brute
import numpy as np
import pytest
import torch

from interpreg.mmd import native

NAMES = list(brute.CASES)
needs_native = pytest.mark.skipif(bool(native.why_not()), reason=native.why_not() or "there")
NATIVE = pytest.param("native", marks=needs_native)
BACKENDS = ["reference", "tiled", NATIVE]
FUSED = ["tiled", NATIVE]
SHAPES = [
    (2, 2, 1), (2, 3, 3), (3, 2, 64), (9, 33, 2), (64, 64, 17), (65, 129, 3), (128, 31, 257), (129, 260, 17),
    (33, 8, 512), (300, 190, 64), (63, 385, 31), (8, 40, 513),
]  # fmt: skip


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
    """Brute force on a problem, remembered."""
    return brute.mmd2(brute.CASES[name], *problem(n, m, d, shift), estimator)


def agree(value: torch.Tensor, grads: list, truth: brute.Truth, at_zero: float, grad_tol: float = 1e-4) -> None:
    """That a value and its gradients are those of brute force, in fp32."""
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(truth.value, abs=1e-5 * max(at_zero, 2.0))
    for got, exact in zip(grads, (truth.grad_x, truth.grad_y), strict=True):
        assert np.abs(got.numpy() - exact).max() < grad_tol * np.abs(exact).max()
