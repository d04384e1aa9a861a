"""The interpolation error on a circle, whose chords and arcs are known."""

import math

import pytest
import torch
from torch import Tensor, nn

from interpreg.metrics import error_by_interval, interpolation_error, intervals


def ring(views: int = 72) -> Tensor:
    angles = torch.arange(views, dtype=torch.float64) * 2 * math.pi / views
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def chord_against_arc(alpha: float, angle: float) -> float:
    """Mean squared difference, per coordinate, of the chord at alpha and the arc at alpha."""
    chord = (1 - alpha) + alpha * complex(math.cos(angle), math.sin(angle))
    arc = complex(math.cos(alpha * angle), math.sin(alpha * angle))
    return abs(chord - arc) ** 2 / 2


def test_chords_of_a_circle() -> None:
    rows = intervals(72, 17, closed=True)
    truth = ring()[rows]
    steps = torch.linspace(0, 1, 17, dtype=torch.float64)[:, None]
    chords = (1 - steps) * truth[:, :1] + steps * truth[:, -1:]
    found = interpolation_error(chords, truth)
    expected = [chord_against_arc(a.item(), math.radians(80)) for a in found.alpha]
    assert found.mean.tolist() == pytest.approx(expected)
    assert found.alpha.tolist() == pytest.approx([n / 16 for n in range(1, 16)])
    assert found.std.tolist() == pytest.approx([0] * 15, abs=1e-12)  # a circle is the same everywhere
    assert (found.overall, found.paths) == (pytest.approx(sum(expected) / 15), 72)


def test_the_spread_is_over_paths() -> None:
    truth = torch.zeros(2, 3, 1)
    paths = torch.tensor([[[0.0], [1.0], [0.0]], [[0.0], [3.0], [0.0]]])
    found = interpolation_error(paths, truth)
    assert (found.mean.item(), found.std.item()) == (5.0, 4.0)  # of 1 and 9


def test_the_ends_do_not_count() -> None:
    truth = torch.zeros(4, 5, 2)
    paths = truth.clone()
    paths[:, [0, -1]] = 9
    assert interpolation_error(paths, truth).overall == 0


def test_the_length_of_the_interval() -> None:
    """The identity for networks: interpolants are chords, of any length."""
    found = error_by_interval(nn.Identity(), nn.Identity(), ring()[None], images=[4, 8, 17])
    assert (found.length.tolist(), found.unit) == ([15, 35, 80], "degrees")
    for length, mean in zip(found.length.tolist(), found.mean.tolist(), strict=True):
        inside = round(length / 5) - 1
        every = [chord_against_arc(n / (inside + 1), math.radians(length)) for n in range(1, inside + 1)]
        assert mean == pytest.approx(sum(every) / inside)


def test_an_encoder_that_knows_the_angle_is_perfect() -> None:
    """A known rotation: the code is the angle, so a line between codes is an arc. Batches do not matter."""

    def angle(x: Tensor) -> Tensor:
        return torch.atan2(x[:, 1], x[:, 0])[:, None]

    def point(z: Tensor) -> Tensor:
        assert len(z) <= 8
        return torch.cat([z.cos(), z.sin()], dim=1)

    half = ring()[None, :30]  # away from the cut of atan2
    found = error_by_interval(angle, point, half, images=[4, 8], closed=False, batch_size=8)
    assert found.mean.tolist() == pytest.approx([0, 0], abs=1e-12)


def test_spherical_paths_stay_on_the_circle() -> None:
    found = error_by_interval(nn.Identity(), nn.Identity(), ring()[None], images=[8, 17], kind="spherical")
    assert found.mean.tolist() == pytest.approx([0, 0], abs=1e-12)


def test_the_spread_by_interval_is_over_all_images() -> None:
    """One ring the other's double: errors e and 4 e at each coefficient."""
    views = torch.stack([ring(12), 2 * ring(12)])
    found = error_by_interval(nn.Identity(), nn.Identity(), views, images=[5], step=30)
    errors = [chord_against_arc(a, math.radians(120)) for a in (0.25, 0.5, 0.75)]
    every = torch.tensor(errors + [4 * e for e in errors], dtype=torch.float64)
    assert found.mean.item() == pytest.approx(every.mean().item())
    assert found.std.item() == pytest.approx(every.std(correction=0).item())


def test_several_objects_are_averaged() -> None:
    images = ring(12).view(12, 2, 1, 1)
    both = torch.stack([images, 3 * images])
    found = [error_by_interval(nn.Identity(), nn.Identity(), v, images=[5]) for v in (images[None], both)]
    one, two = (each.mean.item() for each in found)
    assert two == pytest.approx(one * (1 + 9) / 2)


@pytest.mark.parametrize(
    ("views", "images", "closed", "count"), [(72, 16, True, 72), (72, 16, False, 57), (5, 5, False, 1)]
)
def test_intervals_are_consecutive(views, images, closed, count) -> None:
    rows = intervals(views, images, closed=closed)
    assert rows.shape == (count, images)
    assert ((rows.diff(dim=1) % views) == 1).all()
    assert rows[:, 0].tolist() == list(range(count))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: intervals(5, 6, closed=True), r"images: expected at most as many as there are views, 5, got 6"),
    (lambda: intervals(5, 2, closed=True), r"images: expected an int of at least 3, got 2"),
    (lambda: interpolation_error(torch.ones(2, 3, 4), torch.ones(2, 3, 5)), r"truth: expected the shape of paths"),
    (lambda: interpolation_error(torch.ones(2, 2, 4), torch.ones(2, 2, 4)), r"one step between the ends"),
    (lambda: error_by_interval(nn.Identity(), nn.Flatten(0), ring()[None], images=[4]),
     "decoder: expected a batch of"),
])  # fmt: skip
def test_bad_input_is_named(call, message) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
