"""Tiles: double precision, and tiles of every size."""

import brute
import numpy as np
import pytest
import torch
from sweeps import NAMES, problem, truth_of

from interpreg.functional import mmd2
from interpreg.mmd import tiled


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
    monkeypatch.setattr(tiled, "CPU_TILE_ROWS", (7, 16))
    x, y = (each.double().requires_grad_() for each in problem(65, 129, 3))
    for name in NAMES:
        truth = truth_of(name, 65, 129, 3, 0.0, "unbiased")
        value = mmd2(x, y, kernel=brute.CASES[name].kernel, backend="tiled")
        assert value.item() == pytest.approx(truth.value, abs=1e-12)
        for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
            np.testing.assert_allclose(grad, exact, atol=1e-12)
