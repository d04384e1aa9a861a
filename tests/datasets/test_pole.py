"""The closed form against rays traced one by one through the same scene, and against the geometry of a shadow."""

import math

import numpy as np
import pytest
import torch

from interpreg.datasets import pole

LIGHTS = [(0.8, 0.3), (1.0, 2.0), (1.3, 4.0), (0.9, 4.71), (math.pi / 2, 0.0), (0.79, 3.1), (1.1, 5.6)]
SUN = torch.tensor([1.0])


def enters(origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Where rays ``[n, 3]`` first meet the pole, as multiples of their direction; infinity where they miss it."""
    distance = np.full(len(origin), np.inf)
    flat = direction[:2]
    a, b = flat @ flat, origin[:, :2] @ flat
    c = (origin[:, :2] ** 2).sum(1) - pole.RADIUS**2
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    for sign in (-1, 1):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (-b + sign * root) / a
            z = origin[:, 2] + t * direction[2]
            hit = (b * b > a * c) & (t > 1e-9) & (z >= 0) & (z <= pole.HEIGHT)
        distance = np.where(hit, np.minimum(distance, t), distance)
    t = (pole.HEIGHT - origin[:, 2]) / direction[2]
    spot = origin[:, :2] + t[:, None] * flat
    hit = (t > 1e-9) & ((spot**2).sum(1) <= pole.RADIUS**2)
    return np.where(hit, np.minimum(distance, t), distance)


def traced(elevation: float, azimuth: float, size: int, points: int = 8) -> np.ndarray:
    """The image as the mean of points x points rays a pixel."""
    at = (np.arange(size * points) + 0.5) / (size * points) * 2 - 1
    u, v = np.meshgrid(at, -at)
    sin, cos = math.sin(pole.TILT), math.cos(pole.TILT)
    screen_up, forward = np.array([0, sin, cos]), np.array([0, cos, -sin])
    origin = u.reshape(-1, 1) * np.array([1.0, 0, 0]) + v.reshape(-1, 1) * screen_up - 9 * forward
    rise, flat = math.sin(elevation), math.cos(elevation)
    light = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), rise])
    met = enters(origin, forward)
    ground = origin + (origin[:, 2:] / sin) * forward
    dark = np.isfinite(enters(ground + 1e-9, light))
    plane = pole.GROUND * (pole.AMBIENT + (1 - pole.AMBIENT) * light[2] * ~dark)
    spot = origin + np.where(np.isfinite(met), met, 0)[:, None] * forward
    on_top = spot[:, 2] > pole.HEIGHT - 1e-6
    side = np.maximum(0, (spot[:, :2] / pole.RADIUS) @ light[:2])
    surface = pole.AMBIENT + (1 - pole.AMBIENT) * np.where(on_top, light[2], side)
    bright = np.where(np.isfinite(met), surface, plane)
    return 2 * bright.reshape(size, points, size, points).mean((1, 3)) - 1


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("size", [32, 64])
def test_the_image_is_what_rays_see(light: tuple[float, float], size: int) -> None:
    """To a few grey levels in the mean; edges of the shadow and bands of the pole may differ by half a step."""
    elevation, azimuth = (torch.tensor([value], dtype=torch.float64) for value in light)
    difference = np.abs(pole.render(elevation, azimuth, size)[0, 0].numpy() - traced(*light, size))
    assert difference.mean() < 0.003
    assert np.quantile(difference, 0.97) < 0.02
    assert difference.max() < 0.25


def brightness(image: torch.Tensor, x: float, y: float) -> float:
    """Of the pixel that shows a point of the plane."""
    size = image.shape[-1]
    column = round((x + 1) / 2 * size - 0.5)
    row = round((1 - y * math.sin(pole.TILT)) / 2 * size - 0.5)
    return image[0, 0, row, column].item()


@pytest.mark.parametrize("azimuth", [0.0, 0.7, 1.5, 2.4, 3.0, 5.9])
@pytest.mark.parametrize("elevation", [0.8, 0.95, 1.1])
def test_the_shadow_ends_at_height_over_tangent(elevation: float, azimuth: float) -> None:
    size = 256
    image = pole.render(torch.tensor([elevation]), torch.tensor([azimuth]), size)
    tip = pole.HEIGHT / math.tan(elevation) + pole.RADIUS  # rounded as the pole is
    pixel = 2 / size / math.sin(pole.TILT)
    dark, lit = 2 * pole.GROUND * pole.AMBIENT - 1, 2 * pole.GROUND * (0.3 + 0.7 * math.sin(elevation)) - 1
    for distance, expected in ((tip - 1.5 * pixel, dark), (tip + 1.5 * pixel, lit)):
        x, y = -distance * math.cos(azimuth), -distance * math.sin(azimuth)
        assert brightness(image, x, y) == pytest.approx(expected, abs=1e-3)
    middle = tip - pole.RADIUS
    for aside, expected in ((pole.RADIUS - 1.5 * pixel, dark), (pole.RADIUS + 1.5 * pixel, lit)):
        x = -middle * math.cos(azimuth) + aside * math.sin(azimuth)
        y = -middle * math.sin(azimuth) - aside * math.cos(azimuth)
        assert brightness(image, x, y) == pytest.approx(expected, abs=1e-3)


def shadow_on_a_ring(turn: float) -> torch.Tensor:
    """The shadow at points around the foot, when they and the light are turned by so much."""
    angles = turn + torch.arange(0, 2 * math.pi, 0.1, dtype=torch.float64)
    pixel = torch.tensor([0.0, 0.02], dtype=torch.float64)  # the renderer takes a pixel's width from the first two
    x, y = (torch.cat([pixel, 0.4 * ring]) for ring in (angles.cos(), angles.sin()))
    rise, flat, light_x, light_y = (
        torch.tensor(value, dtype=torch.float64)
        for value in (math.sin(0.9), math.cos(0.9), math.cos(0.5 + turn), math.sin(0.5 + turn))
    )
    nothing = torch.zeros(1)
    return pole._shadow(rise, flat, light_x, light_y, pole.View(x, y, nothing, nothing, nothing))[2:]


def test_turning_the_light_turns_the_shadow_on_the_plane() -> None:
    first = shadow_on_a_ring(0.0)
    assert 0 < first.sum() < len(first) / 4
    assert first[35:38].min() == 1  # opposite the light: 0.5 + pi is 3.64
    for turn in (1.0, 2.5, 4.0):
        torch.testing.assert_close(shadow_on_a_ring(turn), first)


def test_a_mirrored_light_gives_a_mirrored_image() -> None:
    elevation, azimuth = torch.tensor([0.8, 1.2]), torch.tensor([0.4, 4.0])
    mirrored = pole.render(elevation, math.pi - azimuth)
    torch.testing.assert_close(mirrored, pole.render(elevation, azimuth).flip(-1), atol=1e-4, rtol=0)


def test_small_changes_of_the_light_change_the_image_little() -> None:
    """Also through azimuth 0, to and fro: no pixel moves by more than the sharpest edge passing over it allows."""
    step = 1e-4
    e, a = torch.cartesian_prod(
        torch.linspace(math.radians(45), math.radians(80), 4, dtype=torch.float64),
        torch.linspace(-0.02, 2 * math.pi + 0.02, 61, dtype=torch.float64),
    ).unbind(1)
    here = pole.render(e, a, 32)
    for there in (pole.render(e + step, a, 32), pole.render(e, a + step, 32)):
        # a soft edge rises by 1 in a pixel of 1 / 16; the tip, within 0.9, moves by at most 1.6 x step
        assert (there - here).abs().max() < 1.6 * 16 * step * 1.2
    torch.testing.assert_close(pole.render(e, a + 2 * math.pi, 32), here)
    assert (pole.render(e, a + 0.05, 32) - here).abs().amax((1, 2, 3)).min() > 0.03  # and it does change


def test_the_image_has_gradients_by_both_parameters() -> None:
    e, a = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (0.9, 1.0))
    weights = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    (weights * pole.render(e, a, 16)).sum().backward()
    for parameter, shift in ((e, (1e-6, 0)), (a, (0, 1e-6))):
        moved = [(e.detach() + s * shift[0], a.detach() + s * shift[1]) for s in (1, -1)]
        up, down = ((weights * pole.render(*light, 16)).sum() for light in moved)
        assert parameter.grad.item() == pytest.approx((up - down).item() / 2e-6, rel=1e-4)
        assert parameter.grad.abs() > 1e-3


def test_the_papers_set() -> None:
    drawn = pole.paper_set(16)
    assert drawn.images.shape == (576, 1, 16, 16)
    expected = [[e, a] for e in range(45, 81, 5) for a in range(0, 360, 5)]
    assert (drawn.parameters.tolist(), drawn.period) == (expected, (None, 360.0))
    image = pole.render(torch.tensor([math.radians(60)]), torch.tensor([math.radians(45)]), 16)
    torch.testing.assert_close(drawn.images[3 * 72 + 9], image[0], atol=1e-5, rtol=0)
    assert len(drawn.images.flatten(1).unique(dim=0)) == 576


def test_samples_fill_their_ranges() -> None:
    drawn = pole.sample(3000, 8)
    low, high = drawn.parameters.amin(0), drawn.parameters.amax(0)
    assert 45 <= low[0] < 46
    assert 79 < high[0] <= 80
    assert 0 <= low[1] < 2
    assert 358 < high[1] < 360


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_precision_in_any_number(dtype: torch.dtype) -> None:
    e, a = torch.full((600,), 0.9, dtype=dtype), torch.linspace(0, 6, 600).to(dtype)
    images = pole.render(e, a, 16)
    assert images.dtype == dtype
    assert images.min() >= -1
    assert images.max() <= 1
    torch.testing.assert_close(images[300:301], pole.render(e[300:301], a[300:301], 16))
    exact = pole.render(e.double(), a.double(), 16)
    torch.testing.assert_close(images.double(), exact, atol=2 * torch.finfo(dtype).eps + 1e-5, rtol=0)
    assert pole.render(e[:0], a[:0], 16).shape == (0, 1, 16, 16)


def test_everything_happens_on_the_device_asked_for() -> None:
    """The meta device computes nothing, and lets nothing of the CPU in."""
    drawn = pole.sample(5, 16, device="meta")
    assert drawn.images.device == drawn.parameters.device == torch.device("meta")


def test_grazing_light_is_finite() -> None:
    images = pole.render(torch.tensor([1e-8, 1e-3, math.pi / 2]), torch.tensor([1.0, 1.0, 1.0]))
    assert images.isfinite().all()
    assert images[1].min() < -0.6


@pytest.mark.parametrize(("call", "message"), [
    (lambda: pole.render(SUN[None], SUN), r"elevation: expected shape \[n\], got .*\(1, 1\)"),
    (lambda: pole.render(SUN, torch.ones(2)), "azimuth: expected the shape of elevation"),
    (lambda: pole.render(SUN.long(), SUN), "elevation: expected a floating point tensor"),
    (lambda: pole.render(SUN, 0.5), "azimuth: expected a tensor, got 0.5"),
    (lambda: pole.render(SUN, SUN, 4), "size: expected an int of at least 8, got 4"),
    (lambda: pole.sample(2.5), "n: expected an int"),
])  # fmt: skip
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
