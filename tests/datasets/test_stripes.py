"""Stripes against a loop over pixels, and the parameters of both presets."""

import math

import numpy as np
import pytest
import torch

from interpreg.datasets import stripes


def by_pixels(alpha: float, theta: float, size: int) -> np.ndarray:
    """Equation 11, a pixel at a time, with the published code's centre."""
    image = np.empty((size, size))
    for y in range(size):
        for x in range(size):
            image[y, x] = math.sin(alpha * ((y - size / 2) * math.cos(theta) - (x - size / 2) * math.sin(theta)))
    return image


@pytest.mark.parametrize("size", [5, 16, 32])
def test_every_pixel_is_equation_11(size: int) -> None:
    alpha, theta = torch.rand(6, dtype=torch.float64) + 0.1, 7 * torch.rand(6, dtype=torch.float64)
    images = stripes.render(alpha, theta, size)
    assert images.shape == (6, 1, size, size)
    for a, t, image in zip(alpha.tolist(), theta.tolist(), images[:, 0], strict=True):
        np.testing.assert_allclose(image.numpy(), by_pixels(a, t, size), atol=1e-12)


def test_a_quarter_turn_swaps_rows_and_columns() -> None:
    flat = stripes.render(torch.tensor([0.5]), torch.tensor([0.0]))[0, 0]
    upright = stripes.render(torch.tensor([0.5]), torch.tensor([-math.pi / 2]))[0, 0]
    torch.testing.assert_close(flat[:, :1].expand(32, 32), flat)  # rows of one brightness
    torch.testing.assert_close(upright, flat.T, atol=1e-5, rtol=0)


def test_half_a_turn_flips_the_sign_and_a_whole_one_comes_back() -> None:
    alpha, theta = torch.rand(4, dtype=torch.float64), torch.rand(4, dtype=torch.float64)
    images = stripes.render(alpha, theta)
    torch.testing.assert_close(stripes.render(alpha, theta + math.pi), -images)
    torch.testing.assert_close(stripes.render(alpha, theta + 2 * math.pi), images)


def test_published_draws_fill_their_ranges() -> None:
    drawn = stripes.sample(4000, 4, preset="published")
    alpha, theta = drawn.parameters.unbind(1)
    assert 0.2 <= alpha.min() < 0.21
    assert 0.69 < alpha.max() <= 0.7
    assert 0 <= theta.min() < 0.05
    assert 2 * math.pi - 0.05 < theta.max() < 2 * math.pi
    assert (alpha.mean().item(), drawn.period) == (pytest.approx(0.45, abs=0.01), (None, 2 * math.pi))
    assert drawn.labels is None
    torch.testing.assert_close(drawn.images, stripes.render(alpha, theta, 4))


def test_the_default_draws_from_the_papers_grid() -> None:
    drawn = stripes.sample(5000, 4, generator=torch.Generator().manual_seed(3))
    alpha, theta = drawn.parameters.double().unbind(1)
    steps, turns = (alpha - 0.3) / 0.004, theta / (0.02 * math.pi)
    torch.testing.assert_close((steps, turns), (steps.round(), turns.round()), atol=1e-4, rtol=0)
    assert (steps.round().min(), steps.round().max()) == (0, 100)
    assert (turns.round().min(), turns.round().max()) == (0, 99)
    torch.testing.assert_close(drawn.images, stripes.render(*drawn.parameters.unbind(1), 4))


@pytest.mark.parametrize("preset", stripes.PRESETS)
def test_samples_are_drawn_from_the_callers_generator(preset: str | None) -> None:
    draws = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    one, same, other = (stripes.sample(5, 16, preset=preset, generator=draw).images for draw in draws)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert (one.shape, stripes.sample(0, preset=preset).images.shape) == ((5, 1, 16, 16), (0, 1, 32, 32))


@pytest.mark.parametrize("preset", stripes.PRESETS)
def test_everything_happens_on_the_device_asked_for(preset: str | None) -> None:
    """The meta device computes nothing and rejects tensors on the CPU."""
    drawn = stripes.sample(5, 16, preset=preset, device="meta")
    assert drawn.images.device == drawn.parameters.device == torch.device("meta")


@pytest.mark.parametrize(("call", "message"), [
    (lambda: stripes.render(torch.zeros(3, 1), torch.zeros(3)), r"alpha: expected shape \[n\]"),
    (lambda: stripes.render(torch.zeros(3), torch.zeros(2)), "theta: expected the shape of alpha"),
    (lambda: stripes.render(torch.zeros(3), torch.zeros(3).long()), "theta: expected a floating point tensor"),
    (lambda: stripes.render(torch.zeros(3), torch.zeros(3), 0), "size: expected an int of at least 1"),
    (lambda: stripes.sample(2, preset="paper"), "preset: expected one of None, 'published', got 'paper'"),
    (lambda: stripes.sample(-1), "n: expected an int of at least 0"),
])  # fmt: skip
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
