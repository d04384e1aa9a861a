"""The measures on a CUDA device say what they say on the CPU. Run there with: python -m pytest -m cuda"""

import math

import pytest
import torch
from torch import Tensor, nn

from interpreg import metrics
from interpreg.datasets import lines, pole, stripes
from interpreg.report import interpolation_report

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]
DEVICE = "cuda"
VIEWS = pole.paper_set(16)[:72]  # one ring
ROWS = metrics.intervals(72, 9, closed=True)
AZIMUTH = VIEWS.parameters[:, 1]


def paths(device: str) -> Tensor:
    truth = VIEWS.images[ROWS].to(device)
    weights = torch.linspace(0, 1, 9, device=device).view(1, -1, 1, 1, 1)
    return torch.lerp(truth[:, :1], truth[:, -1:], weights)


def known(device: str) -> tuple[Tensor, ...]:
    """References on the device; parameters, which are small, wherever they are."""
    return VIEWS.images.to(device), AZIMUTH, AZIMUTH[ROWS[:, 0]], AZIMUTH[ROWS[:, -1]]


MEASURES = {
    "path_scores": lambda d: metrics.path_scores(paths(d), *known(d)[:2], period=360),
    "line_scores": lambda d: metrics.line_scores(lines.render(torch.rand(32).to(d), 16).view(4, 8, 1, 16, 16)),
    "interpolation_error": lambda d: metrics.interpolation_error(paths(d), VIEWS.images[ROWS].to(d)),
    "error_by_interval": lambda d: metrics.error_by_interval(
        nn.Identity(), nn.Identity(), VIEWS.images[None].to(d), images=[4, 9]
    ),
    "retrieved_alpha": lambda d: metrics.retrieved_alpha(paths(d), *known(d), period=360),
    "admissibility": lambda d: metrics.admissibility(
        paths(d), paths(d)[:, 0], paths(d)[:, -1], references=VIEWS.images.to(d)
    ),
    "path_length": lambda d: metrics.perceptual_path_length(
        nn.Flatten(), paths(d)[:, 0], paths(d)[:, -1], generator=torch.Generator().manual_seed(0)
    ),
    "clustering": lambda d: metrics.clustering(*[t.to(d) for t in labelled()], restarts=3),
}
NUMBERS = {
    "frechet_distance": lambda d: metrics.frechet_distance(*[t.to(d) for t in torch.randn(2, 40, 5)]),
    "latent_correlation": lambda d: metrics.latent_correlation(torch.randn(40, 5).to(d)),
    "linear_probe": lambda d: metrics.linear_probe(*[t.to(d) for t in labelled()]),
}


def labelled() -> tuple[Tensor, ...]:
    labels = torch.arange(60) % 3
    codes = torch.randn(60, 4) + 3 * labels[:, None]
    return codes, labels, codes + 0.1, labels


@pytest.mark.parametrize("name", MEASURES)
def test_measures_do_not_depend_on_the_device(name: str) -> None:
    found = []
    for device in ("cpu", DEVICE):
        torch.manual_seed(0)
        found.append(vars(MEASURES[name](device)))
    for key, value in found[0].items():
        other = found[1][key]
        if isinstance(value, Tensor):
            torch.testing.assert_close(other.cpu(), value, rtol=1e-4, atol=1e-6)
        elif isinstance(value, float):
            assert other == pytest.approx(value, rel=1e-4, abs=1e-6, nan_ok=True), key
        else:
            assert other == value or isinstance(value, tuple), key


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_do_not_depend_on_the_device(name: str) -> None:
    found = []
    for device in ("cpu", DEVICE):
        torch.manual_seed(0)
        found.append(NUMBERS[name](device))
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_images_are_drawn_on_the_device() -> None:
    angles = torch.rand(50)
    for render in (lambda d: lines.render(angles.to(d)), lambda d: stripes.render(angles.to(d), angles.to(d)),
                   lambda d: pole.render(angles.to(d) + 0.5, angles.to(d))):  # fmt: skip
        there = render(DEVICE)
        assert there.device.type == torch.device(DEVICE).type
        torch.testing.assert_close(there.cpu(), render("cpu"), rtol=0, atol=1e-4)


def test_a_report_feeds_networks_where_they_are() -> None:
    """Data on the CPU, networks on the device."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 8))
    decoder = nn.Sequential(nn.Linear(8, 256), nn.Unflatten(1, (1, 16, 16)))
    features = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    values = []
    for device in ("cpu", DEVICE):
        networks = encoder.to(device), decoder.to(device)
        report = interpolation_report(*networks, VIEWS, train=VIEWS, features=features.to(device))
        values.append({m.key: m.value for m in report.metrics})
    for key, value in values[0].items():
        other = values[1][key]
        assert (value is None) == (other is None), key
        assert value is None or other == pytest.approx(value, rel=1e-2, abs=1e-4), key
        assert value is None or math.isfinite(value)
