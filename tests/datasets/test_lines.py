"""The renderer against images drawn by hand, numerical integration, and published statistics of the data.

The statistics were measured on the benchmark's published renderer (brain-research/acai, lib/data.py).
"""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from interpreg.datasets import lines

GRID = torch.linspace(0, 2 * math.pi * (1 - 1e-4), 10_000, dtype=torch.float64)


def by_hand(rows: slice, columns: slice) -> torch.Tensor:
    image = torch.full((32, 32), -1.0, dtype=torch.float64)
    image[rows, columns] = 1
    return image


@pytest.mark.parametrize(("angle", "rows", "columns"), [
    (0.0, slice(15, 17), slice(16, 31)),  # to the right
    (math.pi / 2, slice(1, 16), slice(15, 17)),  # up
    (math.pi, slice(15, 17), slice(1, 16)),
    (3 * math.pi / 2, slice(16, 31), slice(15, 17)),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_four_axes(angle: float, rows: slice, columns: slice, dtype: torch.dtype) -> None:
    """Fifteen pixels long, two wide, fully covered."""
    image = lines.render(torch.tensor([angle], dtype=dtype))[0, 0].double()
    torch.testing.assert_close(image, by_hand(rows, columns), atol=1e-6, rtol=0)


def integrated(angle: float, size: int, points: int = 4000) -> np.ndarray:
    """The same picture by counting sample points under a sliding span, one major row at a time."""
    column, row = (size / 2 - 1) * math.cos(angle), -(size / 2 - 1) * math.sin(angle)
    image = np.full((size, size), -1.0)
    upright = abs(row) >= abs(column)
    along, across = (row, column) if upright else (column, row)
    low, low_across = (size / 2, size / 2) if along > 0 else (size / 2 + along, size / 2 + across)
    high = max(size / 2, size / 2 + along)
    for t in range(math.floor(low), math.ceil(high)):
        left = low_across - 1 + (t - low - 0.5) * across / along
        samples = left + 2 * (np.arange(points) + 0.5) / points
        counts = np.bincount(np.floor(samples[samples >= 0]).astype(int), minlength=size)[:size] * 2 / points
        counts = counts * (math.ceil(low) - low if t < math.ceil(low) else 1)
        if upright:
            image[t] = np.minimum(1, -1 + 2 * counts)
        else:
            image[:, t] = np.minimum(1, -1 + 2 * counts)
    return image


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_coverage_is_the_integral(size: int) -> None:
    angles = torch.rand(40, dtype=torch.float64) * 2 * math.pi
    for angle, image in zip(angles.tolist(), lines.render(angles, size)[:, 0], strict=True):
        np.testing.assert_allclose(image.numpy(), integrated(angle, size), atol=4 / 4000 + 1e-9)


def test_published_statistics() -> None:
    images = lines.render(GRID)
    flat = images.flatten(1)
    ink = (flat + 1).sum(1) / 2
    assert (flat == -1).double().mean().item() == pytest.approx(0.959, abs=5e-4)
    assert (flat == 1).double().mean().item() == pytest.approx(0.013, abs=5e-4)
    assert flat.mean().item() == pytest.approx(-0.946, abs=5e-4)
    assert flat.norm(dim=1).mean().item() == pytest.approx(31.7, abs=0.05)
    assert (ink.min().item(), ink.max().item()) == (pytest.approx(21.2, abs=0.05), pytest.approx(30.0, abs=0.05))
    assert ink.mean().item() == pytest.approx(27.4, abs=0.05)
    assert (flat + 1).square().mean().item() == pytest.approx(0.0889, abs=1e-4)  # error of a black image
    assert (flat - flat.mean(0)).square().mean().item() == pytest.approx(0.0804, abs=1e-4)  # of the mean image


def test_published_jumps_where_the_axes_swap() -> None:
    flat = lines.render(GRID).flatten(1)
    distances = 1 - cosine_similarity(flat, flat.roll(-1, 0))
    assert (distances.median().item(), (distances > 1e-3).sum().item()) == (pytest.approx(2e-6, abs=1e-6), 20)
    for degrees, jump in [(45, 0.0045), (225, 0.0045), (135, 0.0535), (315, 0.0535)]:
        around = distances[int(degrees / 360 * 10_000) - 2 : int(degrees / 360 * 10_000) + 3]
        assert around.max().item() == pytest.approx(jump, abs=2e-3)


def test_a_single_precision_diagonal_is_the_diagonal() -> None:
    """Where the picture jumps, the float nearest to a multiple of 45 degrees must not fall off the wrong side."""
    angles = torch.arange(16, dtype=torch.float64) * math.pi / 4
    torch.testing.assert_close(lines.render(angles.float()).double(), lines.render(angles), atol=1e-5, rtol=0)


def test_thousands_at_a_time_are_the_same_as_one() -> None:
    angles = torch.rand(1000) * 2 * math.pi
    together = lines.render(angles)
    assert torch.equal(together[777:778], lines.render(angles[777:778]))
    assert (together.dtype, lines.render(angles[:0]).shape) == (torch.float32, (0, 1, 32, 32))


@pytest.mark.parametrize(("angles", "size", "message"), [
    (torch.zeros(3, dtype=torch.long), 32, r"angles: expected a floating point tensor"),
    (torch.zeros(3, 1), 32, r"angles: expected shape \[n\], got .*\(3, 1\)"),
    (0.5, 32, r"angles: expected a tensor, got 0.5"),
    (torch.zeros(3), 31, r"size: expected an even number of pixels, got 31"),
    (torch.zeros(3), 2, r"size: expected an int of at least 4, got 2"),
])  # fmt: skip
def test_bad_input_is_named(angles: object, size: int, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        lines.render(angles, size)


def test_samples_have_their_angles_and_tenths() -> None:
    drawn = lines.sample(500, 16, generator=torch.Generator().manual_seed(2))
    angles = drawn.parameters[:, 0]
    torch.testing.assert_close(drawn.images, lines.render(angles, 16))
    assert drawn.labels.tolist() == [math.floor(10 * angle / (2 * math.pi) + 1e-7) for angle in angles.tolist()]
    assert set(drawn.labels.tolist()) == set(range(10))
    assert (drawn.period, drawn.units, drawn.name) == ((2 * math.pi,), ("angle (radians)",), "lines")
