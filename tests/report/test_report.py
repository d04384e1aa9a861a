"""Reports have the metrics' own values where they apply, and "undefined" where nothing is measured."""

import math

import pytest
import torch
from torch import Tensor, nn
from turntable import pair

from interpreg import Interpolator
from interpreg.datasets import lines
from interpreg.metrics import admissibility, clustering_accuracy, latent_correlation, linear_probe, path_scores
from interpreg.metrics.lines import grid
from interpreg.report import interpolation_report


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


def test_samples_that_are_no_images_are_measured_too() -> None:
    x = torch.randn(50, 7)
    report = interpolation_report(nn.Identity(), nn.Identity(), x)
    assert (report["reconstruction_error"], [p.key for p in report.pictures]) == (0, ["codes"])


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


MORE = {"data": torch.rand(12, 1, 16, 16)}  # of which two are held out


@pytest.mark.parametrize(("change", "message"), [
    ({"encoder": 3}, r"encoder: expected a module"),
    ({"data": torch.full((9, 1, 16, 16), torch.nan)}, r"data: .*got 9 of 9"),
    ({"data": torch.zeros(9, 1, 16, 16, dtype=torch.uint8)}, r"data: expected floats in \[-1, 1\]"),
    ({"data": 3}, r"data: expected Samples, a tensor, or batches of tensors, got 3"),
    ({"data": []}, r"data: expected at least one batch"),
    ({"data": [{"x": torch.zeros(3)}]}, r"data: expected batches x or \(x, labels\) of tensors, got a dict"),
    ({"data": torch.zeros(9)}, r"data: expected shape \[n, \.\.\.\]"),
    ({"data": torch.zeros(1, 1, 16, 16)}, r"data: expected at least two held-out samples"),
    ({"labels": torch.zeros(8, dtype=torch.long)}, r"labels: expected whole numbers of shape \[9\]"),
    ({"labels": [0] * 9}, r"labels: expected whole numbers of shape \[9\] .* got a list"),
    ({"labels": torch.full((9,), 0.5)}, r"labels: expected whole numbers .* with values such as 0.5"),
    ({"train": torch.zeros(9, 1, 8, 8)}, r"train: expected the shape of one sample of data"),
    (MORE | {"references": torch.zeros(9, 1, 8, 8)}, r"references: expected the shape of one sample of data"),
    ({"train_labels": torch.zeros(9).long()}, r"train_labels: expected None without train"),
    (MORE | {"encoder": lambda x: x.flatten(1) * torch.nan},
     r"encoder: expected finite values, got 2 of 2 samples"),
    (MORE | {"encoder": lambda x: x.sum()}, r"encoder: expected a batch"),
    (MORE | {"decoder": lambda z: torch.zeros(len(z), 1, 8, 8)}, r"decoder: expected the shape of the data"),
    ({"prior": "nobody's"}, r"prior: expected"),
    ({"pairs": 0}, r"pairs: expected an int of at least 1"),
    ({"steps": 2}, r"steps: expected an int of at least 3"),
    ({"kind": "curved"}, r"kind: expected one of"),
])  # fmt: skip
def test_bad_input_is_named(change, message) -> None:
    encoder, decoder = pair()
    good = {"encoder": encoder, "decoder": decoder, "data": torch.rand(9, 1, 16, 16), "draw": False}
    with pytest.raises((TypeError, ValueError), match=message):
        interpolation_report(**good | change)


def test_nothing_is_warned_of() -> None:
    """A warning would be an error."""
    interpolation_report(*pair(), torch.rand(30, 1, 16, 16))
