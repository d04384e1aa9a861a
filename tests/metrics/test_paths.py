"""Mean distance and smoothness of any data, against loops over numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from interpreg.datasets import lines
from interpreg.metrics import PathScores, line_scores, path_scores


def by_hand(paths, references, parameters, period, measure) -> tuple[float, float, float, int]:
    """The published procedure, one path at a time, with numpy and scipy."""
    scores, detours, distances = [], [], []
    reach = period / 2 if period else parameters.max() - parameters.min()
    for path in paths.flatten(2).double().numpy():
        scipys = "cosine" if measure == "cosine" else "sqeuclidean"
        apart = cdist(path, references.flatten(1).double().numpy(), scipys)
        apart = apart if measure == "cosine" else apart / path.shape[1]
        distances.append(apart.min(1))
        found = parameters.double().numpy()[apart.argmin(1)]
        found = np.unwrap(found, period=period) if period else found
        steps, whole = np.abs(np.diff(found)), abs(found[0] - found[-1])
        short = min(whole % period, -whole % period) if period else whole
        detours.append((steps.sum() - short) / reach)
        if whole >= 1e-4 / math.pi * reach:
            scores.append(steps.max() / whole - 1 / len(steps))
    return np.mean(distances), np.mean(scores), np.mean(detours), len(paths) - len(scores)


@pytest.mark.parametrize("measure", ["cosine", "mse"])
@pytest.mark.parametrize("period", [None, 3.0])
def test_random_paths(measure, period) -> None:
    paths, references = torch.randn(40, 6, 2, 3), torch.randn(50, 2, 3)
    parameters = 3 * torch.rand(50, dtype=torch.float64)
    paths[0] = references[7]  # stands still
    paths[1, :, :] = references[[1, 2, 3, 4, 5, 1]]  # comes back
    scores = path_scores(paths, references, parameters, period=period, measure=measure)
    distance, smoothness, detour, undefined = by_hand(paths, references, parameters, period, measure)
    assert scores.mean_distance == pytest.approx(distance, rel=1e-9)
    assert scores.smoothness == pytest.approx(smoothness, rel=1e-9)
    assert scores.smoothness_paper == pytest.approx(smoothness * (40 - undefined) / 40, rel=1e-9)
    assert scores.detour == pytest.approx(detour, rel=1e-9)
    assert (scores.undefined, scores.paths) == (undefined, 40)
    assert undefined >= 1


def test_lines_are_a_special_case() -> None:
    angles = 2 * math.pi * torch.arange(10_000, dtype=torch.float64) / 10_000
    start = torch.rand(8, 1) * 2 * math.pi
    paths = lines.render((start + torch.rand(8, 5).cumsum(1)).flatten(), 16).view(8, 5, 1, 16, 16)
    general = path_scores(paths, lines.render(angles, 16), angles, period=2 * math.pi)
    special = line_scores(paths)
    for name in ("mean_distance", "smoothness", "detour"):
        assert getattr(general, name) == pytest.approx(getattr(special, name), abs=1e-12)


def test_two_parameters_are_a_plane() -> None:
    """A path of three images in the plane: one step of 3, one of 4, around a corner."""
    grid = torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0))
    path = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]])
    scores = path_scores(path, grid, grid, measure="mse")
    assert (scores.mean_distance, scores.smoothness) == (0, pytest.approx(4 / 5 - 1 / 2))
    assert scores.detour == pytest.approx((7 - 5) / math.hypot(4, 4))


def test_only_the_parameter_with_a_period_comes_round() -> None:
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    path = torch.tensor([[[3.0, 3.0], [0.0, 3.0]]])  # one step for a period of 4, three without
    around = path_scores(path, grid, grid, period=(4.0, None), measure="mse")
    assert around.detour == 0
    there_and_back = torch.tensor([[[3.0, 0.0], [0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]])
    reach = math.hypot(2, 3)
    for period, way in (((4.0, None), 3), (None, 7)):
        far = reach if period else math.hypot(3, 3)
        scores = path_scores(there_and_back, grid, grid, period=period, measure="mse")
        assert scores.detour == pytest.approx((way - 1) / far)


def test_half_a_turn_goes_the_way_that_the_numbers_say() -> None:
    """As numpy.unwrap: from 0 by a whole half period to 1 of 2, then on to 1.5."""
    ring = torch.arange(0, 2, 0.25)[:, None]
    scores = path_scores(torch.tensor([[[0.0], [1.0], [1.5]]]), ring, ring, period=2.0, measure="mse")
    assert (scores.smoothness, scores.detour) == (pytest.approx(1 / 1.5 - 1 / 2), pytest.approx(1.5 - 0.5))


def test_without_parameters_only_the_distance_is_defined() -> None:
    scores = path_scores(torch.ones(3, 4, 2), torch.ones(5, 2))
    assert scores.mean_distance == pytest.approx(0)
    assert math.isnan(scores.smoothness)
    assert math.isnan(scores.detour)
    assert scores.undefined == 3


def test_a_collapsed_model_has_no_smoothness() -> None:
    references, parameters = torch.randn(20, 3), torch.arange(20.0)
    scores = path_scores(references[4].expand(6, 5, 3), references, parameters, measure="mse")
    assert math.isnan(scores.smoothness)
    assert math.isnan(scores.smoothness_paper)
    assert (scores.undefined, scores.paths) == (6, 6)


@pytest.mark.parametrize(("change", "message"), [
    ({"paths": torch.zeros(2, 1, 4)}, r"paths: expected at least one path of two steps"),
    ({"paths": torch.zeros(2, 4)}, r"paths: expected shape \[n, steps, \.\.\.\]"),
    ({"references": torch.zeros(5, 3)}, r"references: expected at least one of shape \(4,\)"),
    ({"parameters": torch.zeros(4)}, r"parameters: expected shape \[5\] or \[5, k\]"),
    ({"period": (1.0, 2.0)}, r"period: expected one for each of 1"),
    ({"period": -1.0}, r"period: expected a finite number"),
    ({"period": 0.0}, r"period: expected None or a positive number, got 0"),
    ({"measure": "l2"}, r"measure: expected one of"),
])  # fmt: skip
def test_bad_input_is_named(change, message) -> None:
    good = {"paths": torch.ones(2, 3, 4), "references": torch.ones(5, 4), "parameters": torch.arange(5.0)}
    assert isinstance(path_scores(**good), PathScores)
    with pytest.raises((TypeError, ValueError), match=message):
        path_scores(**good | change)
