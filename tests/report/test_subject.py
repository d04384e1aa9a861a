"""What a report is about: networks left as they were, samples encoded once, models that have collapsed."""

import pytest
import torch
from torch import Tensor, nn
from turntable import pair, turned

from interpreg.report import interpolation_report

PERFECT = {"0": 0.0, "1": 1.0, "lower": 0.0}


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
    assert (report["dead_units"], report["stationary"]) == (4, 12 * objects)


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


def test_nobody_is_paired_with_themselves_and_seeds_decide() -> None:
    x = torch.rand(21, 1, 16, 16)
    encoder, decoder = pair()
    reports = [interpolation_report(encoder, decoder, x, train=x, seed=s, draw=False) for s in (0, 0, 1)]
    values = [r["lipschitz"] for r in reports]
    assert values[0] == values[1] != values[2]
    assert reports[0]["stationary"] == 0


@pytest.mark.fault(
    "Reports and files",
    "A network of a report changes its input in place, as by a first `ReLU(inplace=True)`: reconstructions are "
    "compared with changed images.",
    now="the report of a network that does not; the data are as before",
)
def test_networks_may_change_what_they_are_given() -> None:
    encoder, decoder = pair()
    data = turned(24, 1)
    before = data.images.clone()
    plain, changing = (
        interpolation_report(first, decoder, data, train=data, steps=5, pairs=4, restarts=2, draw=False)
        for first in (lambda x: encoder(x * 0.5), lambda x: encoder(x.mul_(0.5)))
    )
    assert str(changing) == str(plain)
    assert torch.equal(data.images, before)


def test_codes_of_one_number_a_sample_are_measured() -> None:
    x, labels = torch.linspace(-1, 1, 40).repeat_interleave(3).view(40, 3), torch.arange(40) // 20
    flat, column = (
        interpolation_report(
            encoder,
            decoder,
            x,
            labels=labels,
            train=x,
            train_labels=labels,
            steps=5,
            pairs=4,
            restarts=2,
            draw=False,
        )
        for encoder, decoder in (
            (lambda x: x.mean(1), lambda z: z[:, None].expand(-1, 3)),
            (lambda x: x.mean(1, keepdim=True), lambda z: z.expand(-1, 3)),
        )
    )
    assert flat.warnings == column.warnings
    assert str(flat) == str(column)


def test_a_network_of_another_dtype_than_the_data_is_named() -> None:
    encoder, decoder = nn.Linear(3, 2).double(), nn.Linear(2, 3)
    with pytest.raises(RuntimeError) as caught:
        interpolation_report(encoder, decoder, torch.randn(30, 3), draw=False)
    (note,) = caught.value.__notes__
    assert note == (
        "interpreg called the encoder, of torch.float64, with torch.float32; give data.to(torch.float64)"
    )
