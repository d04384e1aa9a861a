"""The four conditions on paths whose every number is known."""

import math

import pytest
import torch
from torch import Tensor

from interpreg.metrics import admissibility


def straight(n: int = 4, steps: int = 6, size: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    start, end = torch.randn(2, n, size, dtype=torch.float64)
    alpha = torch.linspace(0, 1, steps, dtype=torch.float64).view(1, -1, 1)
    return (1 - alpha) * start[:, None] + alpha * end[:, None], start, end


def test_a_straight_line_is_perfect() -> None:
    paths, start, end = straight()
    found = admissibility(paths, start, end)
    assert (found.boundary, found.monotonicity) == (pytest.approx(0), 1)
    assert found.backtrack == pytest.approx(0)
    assert found.lipschitz == pytest.approx((end - start).norm(dim=1).max().item())
    assert found.unevenness == pytest.approx(1)
    assert math.isnan(found.credibility)
    assert (found.stationary, found.paths) == (0, 4)


def test_the_boundary_is_the_error_of_both_ends() -> None:
    paths, start, end = straight()
    found = admissibility(paths, start + 1, end + 2)
    assert found.boundary == pytest.approx((1 + 4) / 2)


def test_steps_back_are_counted_and_measured() -> None:
    """0, 2, 1, 3, 4 on the way from 0 to 4: one of four steps goes back, by 1 of the 6 walked."""
    path = torch.tensor([0.0, 2, 1, 3, 4]).view(1, 5, 1)
    found = admissibility(path, torch.zeros(1, 1), torch.full((1, 1), 4.0))
    assert (found.monotonicity, found.backtrack) == (0.75, pytest.approx(1 / 6))
    assert found.lipschitz == pytest.approx(2 * 4)  # a step of 2 in a quarter
    assert found.unevenness == pytest.approx(2 / (6 / 4))


def test_a_step_must_lead_away_and_nearer() -> None:
    """Beyond the end: ever farther from the start, but no longer nearer to the end."""
    path = torch.tensor([0.0, 1, 2, 3, 2]).view(1, 5, 1)
    found = admissibility(path, torch.zeros(1, 1), torch.full((1, 1), 2.0))
    assert found.monotonicity == pytest.approx(2 / 4)


def test_the_distance_is_the_callers() -> None:
    """In the angle an arc is monotone; a distance that falls makes it the opposite."""
    angle = torch.linspace(0, 3.0, 7)
    arc = torch.stack([angle.cos(), angle.sin()], dim=1)[None]
    ends = arc[:, 0], arc[:, -1]

    def apart(x: Tensor, y: Tensor) -> Tensor:
        return (torch.atan2(x[:, 1], x[:, 0]) - torch.atan2(y[:, 1], y[:, 0])).abs()

    assert admissibility(arc, *ends, distance=apart).monotonicity == 1
    assert admissibility(arc, *ends, distance=lambda x, y: -apart(x, y)).monotonicity == 0


def test_an_abrupt_switch_is_uneven() -> None:
    steps = 8
    path = (torch.arange(steps) >= 4).float().view(1, steps, 1)
    found = admissibility(path, torch.zeros(1, 1), torch.ones(1, 1))
    assert (found.unevenness, found.lipschitz) == (pytest.approx(steps - 1), pytest.approx(steps - 1))
    assert found.monotonicity == 1


def test_credibility_is_the_share_within_the_threshold() -> None:
    """References on the whole numbers, the data 0.1 off: what is real is not farther off than that."""
    references = torch.arange(101.0)[:, None].double()
    start, end = torch.tensor([[0.1], [50.1]]).double(), torch.tensor([[4.1], [54.1]]).double()
    paths = torch.stack([start, start + 0.95, start + 2.02, start + 2.9, end], dim=1)  # off by .05, .12, .0
    found = admissibility(paths, start, end, references=references)
    assert (found.threshold, found.credibility) == (pytest.approx(0.01), pytest.approx(2 / 3))


def test_the_threshold_is_a_quantile_of_real_images() -> None:
    references = torch.arange(0.0, 100, 10)[:, None]
    off = torch.arange(20)[:, None] / 10  # 0 to 1.9 away
    start, end = references[torch.arange(20) % 9] + off, references[torch.arange(20) % 9] + off
    paths = torch.stack([start, end + 1], dim=1)
    found = admissibility(paths, start, end, references=references, quantile=0.5)
    distances = off.flatten().double().square()
    distances[0] = 100.0  # its own copy does not count
    assert found.threshold == pytest.approx(distances.quantile(0.5).item(), rel=1e-4)


def test_data_that_are_references_do_not_vouch_for_themselves() -> None:
    references = torch.arange(0.0, 100, 2)[:, None]
    start, end = references[[0, 3]], references[[10, 20]]
    paths = torch.stack([start, (start + end) / 2, end], dim=1)
    found = admissibility(paths, start, end, references=references)
    assert found.threshold == pytest.approx(4.0)  # the next is 2 away


def test_a_probability_is_averaged_over_what_lies_between() -> None:
    paths, start, end = straight(2, 4)
    asked = []

    def network(x: Tensor) -> Tensor:
        asked.append(len(x))
        return torch.linspace(0, 1, len(x))

    assert admissibility(paths, start, end, probability=network).credibility == pytest.approx(0.5)
    assert asked == [4]  # two images a path, the ends are not interpolants
    with pytest.raises(ValueError, match="does it return logits"):
        admissibility(paths, start, end, probability=lambda x: torch.full((len(x),), 7.0))


def test_a_path_that_stands_still_is_undefined_not_perfect() -> None:
    _, start, end = straight()
    frozen = start[:1, None].expand(4, 6, 3)
    found = admissibility(frozen, start, end, references=torch.cat([start, end]))
    assert found.stationary == found.paths == 4
    for value in (found.monotonicity, found.backtrack, found.lipschitz, found.unevenness, found.credibility):
        assert math.isnan(value)
    assert found.boundary > 0


def test_those_that_move_are_counted_alone() -> None:
    paths, start, end = straight(2)
    paths[1] = 0.0
    found = admissibility(paths, start, end)
    assert (found.stationary, found.paths) == (1, 2)
    assert found.lipschitz == pytest.approx((end - start)[0].norm().item())


@pytest.mark.parametrize(("change", "message"), [
    ({"start": torch.zeros(3, 4)}, r"start: expected the shape of one image a path, \(2, 4\)"),
    ({"references": torch.ones(1, 4)}, r"references: expected at least two images"),
    ({"references": torch.ones(5, 4), "probability": lambda x: x},
     r"probability: expected None beside references"),
    ({"probability": lambda x: x}, r"probability: expected one number an image"),
    ({"probability": 0.5}, r"probability: expected a module"),
    ({"distance": lambda x, y: (x - y).abs()}, r"distance: expected one number"),
    ({"quantile": 2.0}, r"quantile: expected a finite number"),
])  # fmt: skip
def test_bad_input_is_named(change, message) -> None:
    good = {"paths": torch.randn(2, 3, 4), "start": torch.zeros(2, 4), "end": torch.ones(2, 4)}
    admissibility(**good)
    with pytest.raises((TypeError, ValueError), match=message):
        admissibility(**good | change)
