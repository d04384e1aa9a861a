"""Tiles: double precision, and tiles of every size."""

import brute
import numpy as np
import pytest
import torch
from sweeps import problem, truth_of

from interpreg.functional import mmd2
from interpreg.mmd import tiled


def is_exact(name: str, n: int, m: int, d: int) -> None:
    """In double precision, against brute force."""
    x, y = (each.double().requires_grad_() for each in problem(n, m, d))
    truth = truth_of(name, n, m, d, 0.0, "unbiased")
    value = mmd2(x, y, kernel=brute.CASES[name].kernel, backend="tiled")
    assert value.item() == pytest.approx(truth.value, abs=1e-12)
    for grad, exact in zip(torch.autograd.grad(value, (x, y)), (truth.grad_x, truth.grad_y), strict=True):
        np.testing.assert_allclose(grad, exact, atol=1e-12)


def test_tiles_are_exact_in_double_precision_and_of_every_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for shape in ((65, 129, 3), (300, 190, 64)):
        is_exact(name, *shape)
    monkeypatch.setattr(tiled, "CPU_TILE_ROWS", (7, 16))
    is_exact(name, 65, 129, 3)


def test_the_wider_of_two_precisions_is_taken() -> None:
    x, y = problem(65, 129, 3)
    assert mmd2(x.double(), y).dtype == torch.float64
