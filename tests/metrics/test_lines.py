"""The scores of the lines benchmark against the calibration of its published metric.

The rows were measured by running the published evaluation (brain-research/acai, lib/eval.py) on 512 random lines.
"""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from interpreg.datasets import lines
from interpreg.metrics import LineScores, line_scores

STEPS = 16


def ends(n: int = 256) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return tuple(2 * math.pi * torch.rand(2, n, generator=generator, dtype=torch.float64))


def drawn(angles: Tensor) -> Tensor:
    """Lines at angles [n, steps]."""
    return lines.render(angles.flatten()).view(*angles.shape, 1, 32, 32)


def turning(way: str) -> Tensor:
    a, b = ends()
    shortest = (b - a + math.pi).remainder(2 * math.pi) - math.pi
    turn = {"shortest": shortest, "raw": b - a, "long": shortest - 2 * math.pi * shortest.sign()}[way]
    return drawn(a[:, None] + torch.linspace(0, 1, STEPS, dtype=torch.float64) * turn[:, None])


def faded(weights: Tensor) -> Tensor:
    start, end = (lines.render(angles)[:, None] for angles in ends())
    t = weights.double().view(1, -1, 1, 1, 1)
    return (1 - t) * start + t * end


def check(scores: LineScores, distance: float, smoothness: float) -> None:
    """Within the two or three digits in which the calibration is given, and its sampling noise."""
    assert scores.mean_distance == pytest.approx(distance, rel=0.06, abs=3e-8)
    assert (scores.smoothness, scores.undefined) == (pytest.approx(smoothness, rel=0.03, abs=2e-3), 0)


@pytest.mark.parametrize("way", ["shortest", "raw"])
def test_true_lines_are_the_floor(way: str) -> None:
    check(line_scores(turning(way)), 1.75e-7, 0.0011)


def test_cross_fades_and_their_middle() -> None:
    check(line_scores(faded(torch.linspace(0, 1, STEPS))), 6.34e-3, 0.889)
    assert line_scores(faded(torch.tensor([0.5, 0.5]))).mean_distance == pytest.approx(2.04e-2, rel=0.06)


def test_an_abrupt_switch() -> None:
    scores = line_scores(faded((torch.arange(STEPS) >= STEPS // 2).double()))
    assert scores.smoothness == pytest.approx(1 - 1 / 15, rel=1e-9)
    assert scores.mean_distance < 3e-7


def test_there_and_back_again() -> None:
    """0 to 120 to 60 degrees, smoothly: 0.133."""
    angles = torch.cat([torch.linspace(0, 120, 11), torch.linspace(120, 60, 6)[1:]]).double()
    scores = line_scores(drawn(torch.deg2rad(angles)[None]))
    assert scores.smoothness == pytest.approx(0.133, abs=1e-3)
    assert scores.detour == pytest.approx(120 / 180, abs=1e-3)


def test_random_true_lines_are_never_smooth() -> None:
    angles = 2 * math.pi * torch.rand(256, STEPS, dtype=torch.float64)
    scores = line_scores(drawn(angles))
    assert scores.mean_distance == pytest.approx(1.75e-7, rel=0.06)
    assert scores.smoothness > 1  # unbounded above; its mean has no variance to speak of


def test_a_collapse_is_undefined_and_counted() -> None:
    one = lines.render(torch.tensor([0.7], dtype=torch.float64)).expand(4 * STEPS, 1, 32, 32)
    scores = line_scores(one.view(4, STEPS, 1, 32, 32))
    assert math.isnan(scores.smoothness)
    assert math.isnan(scores.smoothness_paper)
    assert (scores.undefined, scores.paths) == (4, 4)


@pytest.mark.parametrize(("noise", "distance"), [(0.01, 5e-5), (0.05, 1.3e-3), (0.1, 5.1e-3), (0.2, 2.0e-2)])
def test_noise(noise: float, distance: float) -> None:
    paths = turning("shortest")[:64]
    scores = line_scores(paths + noise * torch.randn_like(paths))
    assert scores.mean_distance == pytest.approx(distance, rel=0.06)


def test_images_that_are_no_lines() -> None:
    black = -torch.ones(2, STEPS, 1, 32, 32)
    assert line_scores(black).mean_distance == pytest.approx(3.07e-2, rel=5e-3)
    mean = lines.render(torch.linspace(0, 2 * math.pi, 5000, dtype=torch.float64)).mean(0)
    mean = mean.expand(2, STEPS, 1, 32, 32)
    assert line_scores(mean).mean_distance == pytest.approx(2.96e-2, rel=5e-3)
    uniform = torch.rand(16, STEPS, 1, 32, 32) * 2 - 1
    assert line_scores(uniform).mean_distance == pytest.approx(0.98, abs=0.02)


@pytest.mark.fault(
    "Measures",
    "Undefined paths count as perfect ones in a mean over all (ACAI's `line_eval`).",
    now="both are given, the published mean and that of defined paths",
)
def test_undefined_paths_are_perfect_for_the_paper_alone() -> None:
    still = turning("shortest")[:8, :1].expand(8, STEPS, 1, 32, 32)
    half = torch.cat([faded((torch.arange(STEPS) >= 8).double())[:8], still])
    scores = line_scores(half)
    assert (scores.undefined, scores.smoothness) == (8, pytest.approx(14 / 15))
    assert scores.smoothness_paper == pytest.approx(7 / 15)


def test_the_long_way_round_is_noticed_by_detour_alone() -> None:
    short, long = line_scores(turning("shortest")), line_scores(turning("long"))
    assert long.smoothness == pytest.approx(short.smoothness, abs=1e-3)
    a, b = ends()
    s = ((b - a + math.pi).remainder(2 * math.pi) - math.pi).abs()
    assert short.detour == pytest.approx(0, abs=1e-9)
    assert long.detour == pytest.approx((2 - 2 * s / math.pi).mean().item(), abs=1e-3)


def test_smoothness_is_the_papers_by_numpy() -> None:
    """Eq. 7 with numpy.unwrap, on matched angles that wander across 0."""
    angles = (torch.randn(20, STEPS, dtype=torch.float64) * 0.8).cumsum(1)
    step = 2 * math.pi / 10_000
    angles = (angles / step).round() * step  # on the grid, so that matching is exact
    expected = []
    for row in angles.remainder(2 * math.pi).numpy():
        path = np.unwrap(row)
        expected.append(np.abs(np.diff(path)).max() / abs(path[0] - path[-1]) - 1 / (STEPS - 1))
    assert line_scores(drawn(angles)).smoothness == pytest.approx(np.mean(expected), abs=1e-4)


@pytest.mark.parametrize("size", [16, 24])
def test_other_sizes_have_references_of_their_own(size: int) -> None:
    angles = torch.linspace(0, 1, STEPS, dtype=torch.float64)
    scores = line_scores(lines.render(angles, size)[None])
    assert scores.mean_distance < 1e-5
    assert scores.smoothness < 1e-3


@pytest.mark.parametrize(("paths", "message"), [
    (torch.zeros(4, 32, 32), r"paths: expected shape \[n, steps, 1, H, H\], got .*\(4, 32, 32\)"),
    (torch.zeros(4, 16, 3, 32, 32), r"paths: expected shape"),
])  # fmt: skip
def test_bad_input_is_named(paths: Tensor, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        line_scores(paths)
