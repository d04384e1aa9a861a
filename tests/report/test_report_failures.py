"""What goes wrong in a report is said in it, and the rest of it is there."""

import json
from functools import partial

import pytest
import torch
from peaks import Largest
from torch import Tensor, nn
from turntable import pair, turned

from interpreg.datasets import Samples
from interpreg.report import groups, interpolation_report, pictures, truth

report_of = partial(interpolation_report, draw=False)
IMAGES = 2 * torch.linspace(0, 1, 30 * 256).view(30, 1, 16, 16).mul(97).frac() - 1


@pytest.mark.fault(
    "Reports and files",
    "A report on spatial codes, 16 x 64 x 64: the matrix of correlations alone has 32 GiB.",
    now="every measure works in blocks; correlations are those of 4,096 random elements, and the table says so",
)
def test_large_spatial_codes_are_measured() -> None:
    encoder = nn.Conv2d(1, 16, 3, padding=1)
    decoder = nn.Conv2d(16, 1, 3, padding=1)
    x, labels = torch.rand(24, 1, 64, 64) * 2 - 1, torch.arange(24) % 2
    with Largest() as largest:
        report = report_of(encoder, decoder, x, labels=labels, steps=5, pairs=2, restarts=2)
    assert report.warnings == ()
    assert report["code_size"] == 16 * 64 * 64
    assert 0 <= report["latent_correlation"] <= 1
    assert "among 4,096 random ones" in next(m.note for m in report.metrics if m.key == "latent_correlation")
    assert report["linear_probe"] is not None
    assert largest.size < 2**27


def test_codes_that_are_too_large_to_fit_to_are_left_out(monkeypatch) -> None:
    monkeypatch.setattr(groups, "MAX_FITTED_NUMBERS", 6 * 29)
    report = report_of(*pair(), IMAGES, labels=torch.arange(30) % 2)
    assert (report["linear_probe"], report["clustering_accuracy"]) == (None, None)
    assert "30 codes of 6 elements are too many numbers" in str(report)


FAILURES = {
    "path_scores": ("mean_distance", MemoryError("want 32 GiB")),
    "admissibility": ("boundary", RuntimeError("CUDA out of memory\nsecond line")),
    "perceptual_path_length": ("path_length", ValueError("no")),
    "frechet_distance": ("frechet_distance", ArithmeticError("no")),
    "latent_correlation": ("latent_correlation", MemoryError()),
    "linear_probe": ("linear_probe", RuntimeError("no")),
    "clustering": ("clustering_accuracy", RuntimeError("no")),
}


@pytest.mark.fault(
    "Reports and files",
    "One measure of a report runs out of memory, or fails otherwise.",
    now='its row says "failed" with the reason, and the report the same on top; all else is there',
)
@pytest.mark.parametrize("measure", FAILURES)
def test_a_measure_that_fails_leaves_its_reason_and_the_others(monkeypatch, tmp_path, measure: str) -> None:
    key, error = FAILURES[measure]
    data = turned(24, objects=2)
    make = partial(report_of, *pair(), data, train=data, features=lambda x: x.mean((2, 3)), restarts=1)
    whole = make()

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(groups, measure, failing)
    report = make()
    assert report[key] is None
    reason = next(m.undefined for m in report.metrics if m.key == key)
    assert reason.startswith(f"failed, {type(error).__name__}: ")
    assert "\n" not in reason
    assert report.warnings[-1].endswith(reason)
    assert reason in str(report)
    lost = {m.key for m in whole.metrics} - {m.key for m in report.metrics}
    assert len(lost) <= 6  # the rows of one call
    for metric in report.metrics:
        if metric.key != key:
            assert metric.value == pytest.approx(whole[metric.key], nan_ok=True), metric.key
    json.loads(report.save_json(tmp_path / "r.json").read_text(), parse_constant=pytest.fail)


def test_a_missing_package_is_still_an_error(monkeypatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("pip install")

    monkeypatch.setattr(groups, "linear_probe", missing)
    with pytest.raises(ImportError, match="pip install"):
        report_of(*pair(), IMAGES, labels=torch.arange(30) % 2)


def test_curves_and_pictures_that_fail_leave_their_reason(monkeypatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    data = turned(24)
    monkeypatch.setattr(truth, "retrieved_alpha", failing)
    monkeypatch.setattr(pictures.plots, "corner_grid", failing)
    report = interpolation_report(*pair(), data, train=data)
    assert report.curves is None
    assert report["interpolation_error"] is None
    assert any("Interpolation error failed, RuntimeError: no" in text for text in report.warnings)
    assert "Pictures, corners: failed, RuntimeError: no" in report.warnings
    assert [p.key for p in report.pictures] == ["rows", "reconstructions", "codes"]
    assert "Pictures, corners: failed" in report.html()


class Autoencoder(nn.Module):
    """One object with two methods, as diffusers' and MONAI's."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(256, 6), nn.BatchNorm1d(6), nn.Dropout(0.5))
        self.outer = nn.Sequential(nn.Linear(6, 256), nn.BatchNorm1d(256), nn.Unflatten(1, (1, 16, 16)))

    def encode(self, x: Tensor) -> Tensor:
        return self.inner(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.outer(z)


@pytest.mark.parametrize("through", ["methods", "lambdas", "modules"])
def test_a_report_is_of_networks_in_eval_mode(through: str) -> None:
    torch.manual_seed(0)
    ae = Autoencoder()
    ae.decode(ae.encode(IMAGES))  # statistics that are not the first ones
    before = {name: value.clone() for name, value in ae.state_dict().items()}
    pairs = {
        "methods": (ae.encode, ae.decode),
        "lambdas": (lambda x: ae.encode(x), lambda z: ae.decode(z)),
        "modules": (ae.inner, ae.outer),
    }
    report = report_of(*pairs[through], IMAGES, train=IMAGES)
    assert all(m.training for m in ae.modules())
    assert all(torch.equal(value, before[name]) for name, value in ae.state_dict().items())
    assert all(p.grad is None for p in ae.parameters())
    ae.eval()
    with torch.no_grad():
        error = (ae.decode(ae.encode(IMAGES)) - IMAGES).square().mean().item()
    assert report["reconstruction_error"] == pytest.approx(error, rel=1e-5)


@pytest.mark.fault(
    "Bottlenecks",
    "A report's encoder returns a tuple, a `Normal`, a dictionary or a dataclass.",
    now="`TypeError` with the part to give, or `GaussianBottleneck`; it was `has no attribute 'to'`",
)
@pytest.mark.parametrize(("wrap", "part"), [
    (lambda z: (z, z), r"GaussianBottleneck\(encoder\), .*; else lambda x: encoder\(x\)\[0\]"),
    (lambda z: torch.distributions.Normal(z, 1.0), r"else lambda x: encoder\(x\).rsample\(\)"),
    (lambda z: {"z": z}, r"encoder=lambda x: encoder\(x\)\['z'\]"),
])  # fmt: skip
def test_an_encoder_of_more_than_codes_is_named(wrap, part: str) -> None:
    encoder, decoder = pair()
    with pytest.raises(TypeError, match=f"^encoder: expected a tensor, got .*{part}"):
        report_of(lambda x: wrap(encoder(x)), decoder, IMAGES)
    with pytest.raises(TypeError, match=r"^decoder: expected a tensor, got a tuple"):
        report_of(encoder, lambda z: (decoder(z), 0), IMAGES)
    with pytest.raises(TypeError, match=r"^features: expected a tensor, got a tuple"):
        report_of(encoder, decoder, IMAGES, features=lambda x: (x, 0))


@pytest.mark.fault(
    "Data",
    "A report's images are in [0, 1] or [0, 255], or its decoder ends in a sigmoid beside images in [-1, 1].",
    now="a warning on top of the report, with the line that mends it",
)
def test_pixels_of_another_range_are_said() -> None:
    encoder, decoder = pair()
    assert report_of(encoder, decoder, IMAGES).warnings == ()
    assert (
        "give 2 * x - 1, and networks of that range." in report_of(encoder, decoder, IMAGES / 2 + 0.5).warnings[0]
    )
    assert "give x / 127.5 - 1, and" in str(report_of(encoder, decoder, 127.5 * IMAGES + 127.5))
    sigmoid = report_of(encoder, nn.Sequential(decoder, nn.Sigmoid()), IMAGES).warnings
    assert "instead of a sigmoid, or measure lambda z: 2 * decoder(z) - 1" in sigmoid[0]
    with pytest.raises(ValueError, match=r"data: expected pixels of 0 to 255, .* at most 1; give .* / 0.5 - 1"):
        report_of(encoder, decoder, Samples(((IMAGES > 0) * 1).to(torch.uint8)))
    with pytest.raises(TypeError, match=r"data: .* got a torch.int16 .*; give x.float\(\) / 32767.5 - 1"):
        report_of(encoder, decoder, (30_000 * (IMAGES > 0)).to(torch.int16))


@pytest.mark.fault(
    "Arguments",
    "A report's `prior` or `history` without pictures, or `prior` for samples that are no images.",
    now="`ValueError`: they would have no effect",
)
@pytest.mark.parametrize(("change", "message"), [
    ({"prior": "normal"}, "prior: expected None with draw=False"),
    ({"history": [{"step": 1, "a": 1.0}]}, "history: expected None with draw=False"),
    ({"prior": "normal", "draw": True, "data": torch.rand(30, 256), "encoder": nn.Identity(),
      "decoder": nn.Identity()}, "prior: expected None, because the samples are no grey"),
    ({"seed": "x"}, "seed: expected an int"),
    ({"name": 3}, "name: expected a text"),
    ({"features": 3}, "features: expected a module"),
])  # fmt: skip
def test_arguments_without_effect_or_of_the_wrong_type_are_refused(change, message: str) -> None:
    encoder, decoder = pair()
    good = {"encoder": encoder, "decoder": decoder, "data": IMAGES, "draw": False}
    with pytest.raises((TypeError, ValueError), match=message):
        interpolation_report(**good | change)
