"""What a report says of interpolants where the truth is there: views of one parameter."""

import pytest
import torch
from turntable import Angle, Line, pair, turned

from interpreg import Interpolator
from interpreg.metrics import error_by_interval, interpolation_error, intervals, retrieved_alpha
from interpreg.report import interpolation_report


def test_a_known_rotation_is_perfect_between_its_views() -> None:
    """Eighteen of twenty-four views, so that no interval crosses the encoder's cut."""
    data = turned(first=7)[:18]  # away from the renderer's jumps, too
    report = interpolation_report(Angle(), Line(), data, train=data, draw=False)
    assert report["interpolation_error"] == pytest.approx(0, abs=1e-9)
    assert report["retrieved_alpha_error"] == pytest.approx(0, abs=1e-6)
    assert report["parameter_distance_error"] == pytest.approx(0, abs=1e-6)
    assert report["detour"] == pytest.approx(0, abs=1e-6)
    fade = next(m.baseline for m in report.metrics if m.key == "interpolation_error")
    assert fade > 0.01
    assert report["linear_probe"] is None  # a single object


def test_truth_is_measured_over_every_interval() -> None:
    encoder, decoder = pair()
    data = turned(36, objects=2)
    report = interpolation_report(encoder, decoder, data, train=data, draw=False)
    encoder.eval()
    rows = torch.cat([intervals(36, 9, closed=True), intervals(36, 9, closed=True) + 36])  # 80 of 360 degrees
    truth = data.images[rows]
    with torch.no_grad():
        paths = Interpolator(encoder, decoder).path(truth[:, 0], truth[:, -1], 9)
    assert report["interpolation_error"] == pytest.approx(interpolation_error(paths, truth).overall, rel=1e-4)
    rows = torch.cat([intervals(36, 8, closed=True), intervals(36, 8, closed=True) + 36])  # 70
    with torch.no_grad():
        paths = Interpolator(encoder, decoder).path(data.images[rows[:, 0]], data.images[rows[:, -1]], 8)
    known = data.parameters[rows[:, 0]], data.parameters[rows[:, -1]]
    found = retrieved_alpha(paths, data.images, data.parameters, *known, period=360)
    assert report["retrieved_alpha_error"] == pytest.approx(found.error, rel=1e-4)
    assert report.curves.retrieved["autoencoder"].median.tolist() == pytest.approx(found.median.tolist())


def test_errors_by_interval_are_the_metrics_own_over_all_rings() -> None:
    encoder, decoder = pair()
    data = turned(36, objects=2)
    found = interpolation_report(encoder, decoder, data, train=data, draw=False).curves.by_interval["autoencoder"]
    encoder.eval()
    views = data.images.view(2, 36, 1, 16, 16)
    expected = error_by_interval(encoder, decoder, views, images=[4, 5, 6, 7, 8, 9], step=10)
    assert found.length.tolist() == expected.length.tolist() == [30, 40, 50, 60, 70, 80]
    assert found.mean.tolist() == pytest.approx(expected.mean.tolist(), rel=1e-4)
    assert found.std.tolist() == pytest.approx(expected.std.tolist(), rel=1e-4)


def test_many_intervals_are_thinned_evenly() -> None:
    """Cross-fades over all 72 intervals, and over 24 of them from all around."""
    data = turned(36, objects=2, first=7)
    everything = interpolation_report(*pair(), data, train=data, draw=False)
    some = interpolation_report(*pair(), data, train=data, pairs=24, draw=False)
    assert (everything.curves.by_alpha["cross-fade"].paths, some.curves.by_alpha["cross-fade"].paths) == (72, 24)
    fade, fewer = (r.curves.by_alpha["cross-fade"].overall for r in (everything, some))
    assert fewer == pytest.approx(fade, rel=0.1)


def test_a_cross_fade_is_one_whatever_the_path_between_codes() -> None:
    """Great circles are for codes: the yardstick stays straight."""
    data = turned(36)
    encoder, decoder = pair()
    kinds = ("linear", "spherical")
    reports = [interpolation_report(encoder, decoder, data, train=data, kind=kind, draw=False) for kind in kinds]
    truth = data.images[intervals(36, 9, closed=True)]
    weights = torch.linspace(0, 1, 9).view(1, 9, 1, 1, 1)
    fade = interpolation_error((1 - weights) * truth[:, :1] + weights * truth[:, -1:], truth)
    for report in reports:
        assert report.curves.by_alpha["cross-fade"].mean.tolist() == pytest.approx(fade.mean.tolist(), rel=1e-4)
    assert [m.baseline for m in reports[0].metrics] == [m.baseline for m in reports[1].metrics]
    assert reports[0]["interpolation_error"] != reports[1]["interpolation_error"]
