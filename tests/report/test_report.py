"""Reports have the metrics' own values where they apply, and "undefined" where nothing is measured."""

import json
import math
import warnings

import pytest
import torch
from torch import Tensor, nn

from interpreg import Interpolator
from interpreg.datasets import Samples, lines
from interpreg.metrics import (
    admissibility,
    clustering_accuracy,
    error_by_interval,
    interpolation_error,
    intervals,
    latent_correlation,
    linear_probe,
    path_scores,
    retrieved_alpha,
)
from interpreg.metrics.lines import grid
from interpreg.report import interpolation_report

PERFECT = {"0": 0.0, "1": 1.0, "lower": 0.0}


def pair(size: int = 16) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(1)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size * size, 6), nn.Dropout(0.5))
    return encoder, nn.Sequential(nn.Linear(6, size * size), nn.Unflatten(1, (1, size, size)))


def turned(views: int = 24, objects: int = 1, first: float = 0) -> Samples:
    """Lines at evenly spaced angles, in degrees: a turntable, one row of labels an object."""
    degrees = torch.arange(views).repeat(objects) * 360.0 / views + first
    labels = torch.arange(objects).repeat_interleave(views)
    images = lines.render(degrees.deg2rad(), 16) * (1 - 0.3 * labels.view(-1, 1, 1, 1))
    return Samples(images, labels, degrees[:, None], (360.0,), ("angle (degrees)",), "turntable")


class Angle(nn.Module):
    """An encoder that knows the angle of a line, as a point on a circle's tangent: a known rotation."""

    def forward(self, x: Tensor) -> Tensor:
        table = lines.render(torch.arange(360.0).deg2rad(), 16).flatten(1)
        best = (x.flatten(1) @ table.T - table.square().sum(1) / 2).argmax(1)
        return best.float().deg2rad()[:, None]


class Line(nn.Module):
    """The decoder of :class:`Angle`."""

    def forward(self, z: Tensor) -> Tensor:
        return lines.render(z[:, 0], 16)


def test_the_values_are_the_metrics_own() -> None:
    encoder, decoder = pair()
    data, train = lines.sample(40, 16), lines.sample(80, 16)
    report = interpolation_report(encoder, decoder, data, train=train, references=grid(16), steps=5, restarts=3)
    encoder.eval()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    start, end = data.images[order[:20]], data.images[order[20:]]
    with torch.no_grad():
        paths = Interpolator(encoder, decoder).path(start, end, 5)
        codes, train_codes = encoder(data.images), encoder(train.images)
        x_hat = decoder(codes)
    scores = path_scores(paths, grid(16).images, grid(16).parameters, period=2 * math.pi)
    four = admissibility(paths, start, end, references=grid(16).images)
    labelled = train_codes, train.labels, codes, data.labels
    expected = {
        "reconstruction_error": (x_hat - data.images).square().mean().item(),
        "mean_distance": scores.mean_distance,
        "smoothness": scores.smoothness,
        "smoothness_paper": scores.smoothness_paper,
        "detour": scores.detour,
        "smoothness_undefined": scores.undefined,
        "boundary": four.boundary,
        "monotonicity": four.monotonicity,
        "backtrack": four.backtrack,
        "unevenness": four.unevenness,
        "lipschitz": four.lipschitz,
        "credibility": four.credibility,
        "code_size": 6,
        "dead_units": 0,
        "latent_correlation": latent_correlation(codes),
        "linear_probe": linear_probe(*labelled),
        "clustering_accuracy": clustering_accuracy(*labelled, restarts=3),
    }
    for key, value in expected.items():
        assert report[key] == pytest.approx(value, rel=1e-4), key


def test_a_linear_decoder_has_the_path_length_of_its_matrix() -> None:
    """mean ||A (z2 - z1)||^2, whatever the point of the path."""
    decoder = nn.Linear(3, 10, bias=False)
    x = torch.randn(60, 10)
    encoder = nn.Linear(10, 3)
    report = interpolation_report(encoder, decoder, x, train=x, draw=False)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    z = encoder(x)
    apart = decoder(z[order[30:]] - z[order[:30]])
    assert report["path_length"] == pytest.approx(apart.square().sum(1).mean().item(), rel=1e-3)
    assert report["unevenness"] == pytest.approx(1, abs=1e-5)


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
    assert everything.curves.by_alpha["cross-fade"].paths == 72
    assert some.curves.by_alpha["cross-fade"].paths == 24
    fade, fewer = (r.curves.by_alpha["cross-fade"].overall for r in (everything, some))
    assert fewer == pytest.approx(fade, rel=0.1)


@pytest.mark.parametrize("objects", [1, 3])
def test_a_collapsed_model_has_no_perfect_score(objects: int) -> None:
    """Everything is decoded to one real line; whatever that would have for nothing is undefined, and it is said."""
    data = turned(24, objects)
    one = data.images[3]

    def encoder(x: Tensor) -> Tensor:
        return torch.full((len(x), 4), 0.1)

    def decoder(z: Tensor) -> Tensor:
        return one.expand(len(z), 1, 16, 16)

    report = interpolation_report(encoder, decoder, data, train=data, draw=False)
    assert "collapsed" in report.warnings[0]
    assert "collapsed" in str(report)
    for metric in report.metrics:
        if metric.value is not None and metric.best:
            assert metric.value != pytest.approx(PERFECT[metric.best], abs=1e-3), metric.key
    undefined = {m.key for m in report.metrics if m.value is None}
    assert undefined >= {
        "mean_distance", "smoothness", "smoothness_paper", "detour", "monotonicity", "unevenness", "lipschitz",
        "credibility", "path_length", "frechet_distance", "latent_correlation", "linear_probe",
        "clustering_accuracy", "nmi", "ari",
    }  # fmt: skip
    assert report["dead_units"] == 4
    assert report["stationary"] == 12 * objects


def test_codes_that_differ_by_rounding_have_collapsed() -> None:
    """Otherwise their path length would be next to nothing, and that is a perfect one."""
    x = torch.randn(60, 3)
    report = interpolation_report(lambda x: 0.5 + 1e-9 * x.double(), lambda z: z.float(), x, train=x, draw=False)
    assert report.warnings
    for key in ("path_length", "frechet_distance", "latent_correlation", "mean_distance"):
        assert report[key] is None, key


def test_a_decoder_that_ignores_its_codes_has_no_perfect_score() -> None:
    """The codes differ and are good for something; all that is decoded is one real line."""
    data = turned(24, objects=2)
    one = data.images[3]
    report = interpolation_report(pair()[0], lambda z: one.expand(len(z), 1, 16, 16), data, train=data, draw=False)
    assert report.warnings == ("All samples are decoded alike: the model has collapsed.",)
    assert report["stationary"] == 24
    undefined = {m.key for m in report.metrics if m.value is None}
    assert undefined >= {
        "mean_distance", "smoothness", "detour", "monotonicity", "unevenness", "credibility", "path_length",
        "frechet_distance",
    }  # fmt: skip
    assert report["linear_probe"] > 0
    assert report["latent_correlation"] > 0


def test_networks_come_back_as_they_were() -> None:
    encoder, decoder = pair()
    encoder[2].train()
    encoder[0].eval()
    modes = [m.training for m in encoder.modules()]
    first = interpolation_report(encoder, decoder, torch.rand(20, 1, 16, 16), draw=False)
    assert [m.training for m in encoder.modules()] == modes
    again = interpolation_report(encoder, decoder, torch.rand(20, 1, 16, 16), draw=False)
    assert all(p.grad is None for p in [*encoder.parameters(), *decoder.parameters()])
    assert first["reconstruction_error"] != again["reconstruction_error"]  # other data

    broken = nn.Sequential(nn.Linear(6, 256))  # of another shape
    with pytest.raises(ValueError, match="decoder: expected the shape of the data"):
        interpolation_report(encoder, broken, torch.rand(20, 1, 16, 16), draw=False)
    assert [m.training for m in encoder.modules()] == modes


def test_samples_that_are_no_images_are_measured_too() -> None:
    x = torch.randn(50, 7)
    report = interpolation_report(nn.Identity(), nn.Identity(), x)
    assert report["reconstruction_error"] == 0
    assert [p.key for p in report.pictures] == ["codes"]


def test_a_cross_fade_is_one_whatever_the_path_between_codes() -> None:
    """Great circles are for codes: the yardstick stays straight."""
    data = turned(36)
    encoder, decoder = pair()
    reports = [
        interpolation_report(encoder, decoder, data, train=data, kind=kind, draw=False)
        for kind in ("linear", "spherical")
    ]
    truth = data.images[intervals(36, 9, closed=True)]
    weights = torch.linspace(0, 1, 9).view(1, 9, 1, 1, 1)
    fade = interpolation_error((1 - weights) * truth[:, :1] + weights * truth[:, -1:], truth)
    for report in reports:
        assert report.curves.by_alpha["cross-fade"].mean.tolist() == pytest.approx(fade.mean.tolist(), rel=1e-4)
    assert [m.baseline for m in reports[0].metrics] == [m.baseline for m in reports[1].metrics]
    assert reports[0]["interpolation_error"] != reports[1]["interpolation_error"]


def test_each_sample_is_encoded_once_and_rings_may_be_split() -> None:
    """Every other view held out: the rings, and the errors along them, are those of all views together."""
    data = turned(36, objects=2)
    encoder, decoder = pair()
    encoder.eval()
    seen = []

    def counting(x: Tensor) -> Tensor:
        seen.append(len(x))
        return encoder(x)

    whole = interpolation_report(counting, decoder, data, train=data, draw=False)
    assert sum(seen) == 72
    parts = interpolation_report(counting, decoder, data[::2], train=data[1::2], draw=False)
    assert sum(seen) == 2 * 72
    for key in ("interpolation_error", "retrieved_alpha_error", "parameter_distance_error"):
        assert parts[key] == pytest.approx(whole[key], rel=1e-5), key


@pytest.mark.parametrize("labelled", [False, True])
def test_loaders_and_datasets_are_gathered(labelled: bool) -> None:
    encoder, decoder = pair()
    x, y = torch.rand(50, 1, 16, 16), torch.arange(50) % 3
    dataset = torch.utils.data.TensorDataset(*([x, y] if labelled else [x]))
    loader = torch.utils.data.DataLoader(dataset, batch_size=16)
    given = {"labels": y} if labelled else {}
    whole = interpolation_report(encoder, decoder, x, **given, draw=False)
    for data in (dataset, loader, [x[:20], x[20:]]):
        extra = given if isinstance(data, list) else {}
        found = interpolation_report(encoder, decoder, data, **extra, draw=False)
        assert [m.value for m in found.metrics] == [m.value for m in whole.metrics]
    assert any(m.key == "linear_probe" for m in whole.metrics) == labelled


def test_features_are_the_callers() -> None:
    encoder, decoder = pair()
    seen = []

    def features(x: Tensor) -> Tensor:
        seen.append(x.shape[1:])
        return x.mean((2, 3))

    x = torch.rand(200, 1, 16, 16)
    report = interpolation_report(encoder, decoder, x, features=features, draw=False)
    assert report["frechet_distance"] > 0
    assert set(seen) == {torch.Size([1, 16, 16])}


def test_a_wide_frechet_distance_is_refused_not_guessed() -> None:
    x = torch.rand(30, 1, 16, 16)
    report = interpolation_report(*pair(), x, draw=False)
    found = next(m for m in report.metrics if m.key == "frechet_distance")
    assert found.value is None
    assert "256 features an image" in found.undefined


def test_the_numbers_file_is_strict_json(tmp_path) -> None:
    data = turned()
    report = interpolation_report(*pair(), data, train=data, draw=False, name="a name")
    content = json.loads(report.save_json(tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
    assert content["name"] == "a name"
    values = {m["key"]: m["value"] for m in content["metrics"]}
    assert values["reconstruction_error"] == report["reconstruction_error"]
    assert values["linear_probe"] is None
    assert next(m for m in content["metrics"] if m["key"] == "linear_probe")["undefined"] == "a single class"
    assert len(content["curves"]["by_alpha"]["cross-fade"]["mean"]) == 4  # 5 steps of 15 degrees
    with pytest.raises(KeyError, match="this report has reconstruction_error"):
        report["nonsense"]


def test_the_table_shows_every_metric() -> None:
    data = turned()
    report = interpolation_report(*pair(), data, train=data, draw=False)
    table = str(report).splitlines()
    for metric in report.metrics:
        row = next(line for line in table if line.startswith(f"  {metric.name} "))
        assert metric.shown() in row
        assert metric.undefined in row


def test_nobody_is_paired_with_themselves_and_seeds_decide() -> None:
    x = torch.rand(21, 1, 16, 16)
    encoder, decoder = pair()
    reports = [interpolation_report(encoder, decoder, x, train=x, seed=s, draw=False) for s in (0, 0, 1)]
    values = [r["lipschitz"] for r in reports]
    assert values[0] == values[1] != values[2]
    assert reports[0]["stationary"] == 0


MORE = {"data": torch.rand(12, 1, 16, 16)}  # of which two are held out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": 3}, r"encoder: expected a module"),
        ({"data": torch.full((9, 1, 16, 16), torch.nan)}, r"data: .*got 9 of 9"),
        ({"data": torch.zeros(9, 1, 16, 16, dtype=torch.uint8)}, r"data: expected floats in \[-1, 1\]"),
        ({"data": 3}, r"data: expected Samples, a tensor, or batches of tensors, got 3"),
        ({"data": []}, r"data: expected at least one batch"),
        ({"data": [{"x": torch.zeros(3)}]}, r"data: expected batches x or \(x, labels\) of tensors, got a dict"),
        ({"data": torch.zeros(9)}, r"data: expected shape \[n, \.\.\.\]"),
        ({"data": torch.zeros(1, 1, 16, 16)}, r"data: expected at least two held-out samples"),
        ({"labels": torch.zeros(8, dtype=torch.long)}, r"labels: expected whole numbers of shape \[9\]"),
        ({"labels": [0] * 9}, r"labels: expected whole numbers of shape \[9\], .* got a list"),
        ({"labels": torch.zeros(9)}, r"labels: expected whole numbers"),
        ({"train": torch.zeros(9, 1, 8, 8)}, r"train: expected the shape of one sample of data"),
        (
            MORE | {"references": torch.zeros(9, 1, 8, 8)},
            r"references: expected the shape of one sample of data",
        ),
        ({"train_labels": torch.zeros(9).long()}, r"train_labels: expected None without train"),
        (
            MORE | {"encoder": lambda x: x.flatten(1) * torch.nan},
            r"encoder: expected finite values, got 2 of 2 samples",
        ),
        (MORE | {"encoder": lambda x: x.sum()}, r"encoder: expected a batch"),
        (
            MORE | {"decoder": lambda z: torch.zeros(len(z), 1, 8, 8)},
            r"decoder: expected the shape of the data",
        ),
        ({"prior": "nobody's"}, r"prior: expected"),
        ({"pairs": 0}, r"pairs: expected an int of at least 1"),
        ({"steps": 2}, r"steps: expected an int of at least 3"),
        ({"kind": "curved"}, r"kind: expected one of"),
    ],
)
def test_bad_input_is_named(change, message) -> None:
    encoder, decoder = pair()
    good = {"encoder": encoder, "decoder": decoder, "data": torch.rand(9, 1, 16, 16), "draw": False}
    with pytest.raises((TypeError, ValueError), match=message):
        interpolation_report(**good | change)


def test_nothing_is_warned_of(recwarn) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interpolation_report(*pair(), torch.rand(30, 1, 16, 16))
