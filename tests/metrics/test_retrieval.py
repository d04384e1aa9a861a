"""Retrieved coefficients and distances in parameter space, where the answer is a formula."""

import math

import pytest
import torch
from torch import Tensor

from interpreg.metrics import intervals, retrieved_alpha

DEGREES = torch.arange(0, 360, 5.0, dtype=torch.float64)


def view(degrees: Tensor) -> Tensor:
    radians = degrees.deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=-1)


def ends(images: int) -> tuple[Tensor, Tensor]:
    rows = intervals(72, images, closed=True)
    return DEGREES[rows[:, 0]], DEGREES[rows[:, -1]]


def walked(bend, images: int = 15) -> Tensor:
    """Paths over every interval, at the angle start + bend(alpha) (end - start)."""
    start, _ = ends(images)
    alpha = torch.linspace(0, 1, images, dtype=torch.float64)
    return view(start[:, None] + bend(alpha) * 5 * (images - 1))


def test_a_perfect_rotation() -> None:
    found = retrieved_alpha(walked(lambda a: a), view(DEGREES), DEGREES, *ends(15), period=360)
    for values in (found.median, found.low, found.high):
        assert values.tolist() == pytest.approx(found.alpha.tolist())
    assert (found.error, found.outside, found.undefined, found.paths) == (pytest.approx(0), 0, 0, 72)
    assert found.spread == pytest.approx(0)
    assert found.from_start.tolist() == pytest.approx((70 * found.alpha).tolist())
    assert found.to_end.tolist() == pytest.approx((70 - 70 * found.alpha).tolist())
    assert (found.interval, found.distance_error) == (pytest.approx(70), pytest.approx(0, abs=1e-12))


def test_a_bent_one_is_retrieved_as_bent() -> None:
    """alpha^3, to the nearest of 5 degrees in 70."""
    found = retrieved_alpha(walked(lambda a: a**3), view(DEGREES), DEGREES, *ends(15), period=360)
    expected = (found.alpha**3 * 14).round() / 14
    assert found.median.tolist() == pytest.approx(expected.tolist())
    assert found.error == pytest.approx((expected - found.alpha).abs().mean().item())


def test_quartiles_are_over_paths() -> None:
    """Five paths that say 0, 1/4, 1/2, 3/4 and 1 in the middle."""
    line = torch.linspace(0, 4, 5)[:, None]
    paths = torch.stack([torch.tensor([[0.0], [float(n)], [4.0]]) for n in range(5)])
    found = retrieved_alpha(paths, line, line, torch.zeros(5), torch.full((5,), 4.0))
    assert (found.low.tolist(), found.median.tolist()) == ([0, 0.25, 1], [0, 0.5, 1])
    assert (found.high.tolist(), found.spread) == ([0, 0.75, 1], pytest.approx(0.5 / 3))


def test_images_beyond_the_ends_are_said_to_be_there() -> None:
    found = retrieved_alpha(walked(lambda a: 2 * a - 0.5, 13), view(DEGREES), DEGREES, *ends(13), period=360)
    assert (found.median[0].item(), found.median[-1].item()) == (pytest.approx(-0.5), pytest.approx(1.5))
    assert found.outside == pytest.approx(6 / 13)  # 2 a - 0.5 is in [0, 1] for a = 3/12 .. 9/12


def test_beside_the_straight_way_is_outside() -> None:
    grid = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
    path = torch.tensor([[[0.0, 0.0], [1.0, 2.0], [2.0, 0.0]]])
    found = retrieved_alpha(path, grid, grid, path[:, 0], path[:, -1])
    assert (found.median.tolist(), found.outside) == ([0, 0.5, 1], pytest.approx(1 / 3))


def test_intervals_of_no_length_are_counted_and_left_out() -> None:
    line = torch.linspace(0, 4, 5)[:, None]
    paths = torch.tensor([[[0.0], [2.0], [4.0]], [[1.0], [3.0], [1.0]]])
    found = retrieved_alpha(paths, line, line, torch.tensor([0.0, 1]), torch.tensor([4.0, 1]))
    assert found.median.tolist() == [0, 0.5, 1]
    assert (found.undefined, found.paths) == (1, 2)
    with pytest.raises(ValueError, match="start, end: expected ends of different parameters"):
        retrieved_alpha(paths, line, line, torch.ones(2), torch.ones(2))


def test_a_collapsed_model_is_not_near_the_diagonal() -> None:
    found = retrieved_alpha(view(DEGREES[:1]).expand(72, 15, 2), view(DEGREES), DEGREES, *ends(15), period=360)
    assert found.error > 1


def test_parameter_distances_are_euclidean_and_averaged() -> None:
    """Two paths, 5 and 10 long, that stay at their starts."""
    grid = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    still = torch.zeros(2, 3, 2)
    found = retrieved_alpha(still, grid, grid, torch.zeros(2, 2), grid[1:])
    assert (found.from_start.tolist(), found.to_end.tolist()) == ([0, 0, 0], pytest.approx([7.5] * 3))
    assert found.interval == pytest.approx(7.5)
    assert found.distance_error == pytest.approx(0.5)  # 0, 1/2, 1 of the interval, from either end


def test_an_elevation_does_not_come_round_and_an_azimuth_does() -> None:
    known = torch.tensor([[45.0, 355.0], [45.0, 5.0], [80.0, 5.0]])
    images = torch.eye(3)
    paths = images[None, [0, 1, 2]]
    found = retrieved_alpha(paths, images, known, known[[0]], known[[2]], period=(None, 360))
    assert found.from_start.tolist() == pytest.approx([0, 10, math.hypot(35, 10)])


@pytest.mark.parametrize(("change", "message"), [
    ({"start": torch.zeros(3)}, r"start: expected shape \[2, 1\], the parameters of one end"),
    ({"end": torch.zeros(2, 2)}, r"end: expected shape \[2, 1\]"),
])  # fmt: skip
def test_bad_input_is_named(change, message) -> None:
    good = {
        "paths": torch.ones(2, 3, 4), "references": torch.ones(5, 4), "parameters": torch.arange(5.0),
        "start": torch.zeros(2), "end": torch.ones(2),
    }  # fmt: skip
    retrieved_alpha(**good)
    with pytest.raises((TypeError, ValueError), match=message):
        retrieved_alpha(**good | change)
