"""The memory of measures does not grow with the square of a code's size, nor with the number of samples."""

import importlib

import pytest
import torch
from peaks import Largest

from interpreg.metrics import (
    _codes,
    admissibility,
    dead_units,
    error_by_interval,
    frechet_distance,
    interpolation_error,
    latent_correlation,
    path_scores,
)

nearest = importlib.import_module("interpreg.metrics.nearest")  # the function has the same name
SIZE = 3 * 64 * 64
CODES = torch.linspace(0, 1, 64 * SIZE).view(64, SIZE).sin()  # 3 MiB, 6 MiB in float64
PATHS = CODES.view(8, 8, SIZE)
VIEWS = CODES[:16].view(1, 16, SIZE)
MEASURES = {
    "correlation": lambda: latent_correlation(CODES[:8]),
    "dead units": lambda: dead_units(CODES),
    "nearest": lambda: nearest.nearest(CODES, CODES, "cosine").distances.sum(),
    "nearest in squares": lambda: nearest.nearest(CODES, CODES, "mse").distances.sum(),
    "paths": lambda: path_scores(PATHS, CODES).mean_distance,
    "conditions": lambda: admissibility(PATHS, PATHS[:, 0], PATHS[:, -1], references=CODES).lipschitz,
    "error": lambda: interpolation_error(PATHS, PATHS + 1).overall,
    "by interval": lambda: error_by_interval(
        lambda x: x, lambda z: z, VIEWS, images=[3, 9], batch_size=16
    ).mean.sum(),
    "Frechet": lambda: frechet_distance(CODES, CODES, features=lambda x: x[:, :3].contiguous()),
}

BOUNDS = {"correlation": 8 * 256 * SIZE, "by interval": 4 * 16 * 9 * SIZE}  # rows of a matrix; all intervals


@pytest.mark.parametrize("name", MEASURES)
def test_blocks_bound_the_memory_and_leave_the_value(monkeypatch, name: str) -> None:
    """In blocks of 2 MiB in float64; the largest tensors are the copies of the data in their own type."""
    whole = float(MEASURES[name]())
    monkeypatch.setattr(_codes, "NUMBERS_PER_BLOCK", 2**18)
    monkeypatch.setattr(nearest, "REFERENCE_NUMBERS", 2**18)
    with Largest() as largest:
        value = float(MEASURES[name]())
    assert value == pytest.approx(whole, rel=1e-9)
    assert largest.size <= BOUNDS.get(name, 4 * CODES.numel() + 2**10)
