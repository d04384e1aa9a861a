r"""A pole and its shadow, after AEAI (sections 1 and 4, figure 1): two parameters, the light's elevation and azimuth.

A vertical pole stands at the centre of a flat plane under one moving directional light; a fixed camera looks down
on it. The authors rendered 576 images with a game engine; these are of the same scene, in closed form.

The world has x to the right, y away from the viewer and z up. The camera is orthographic, tilted by TILT above the
plane: a point appears at u = x, v = y sin TILT + z cos TILT, and the image shows u and v from -1 to 1. The light comes
from l = (cos e cos a, cos e sin a, sin e), for elevation e and azimuth a, which is 0 to the right and grows
anticlockwise as seen from above.

- The plane is bright by GROUND (AMBIENT + (1 - AMBIENT) sin e), Lambert's n . l, by GROUND AMBIENT in the shadow.
- The shadow of a pole of height h and radius r is every point of the plane nearer than r to the segment from the
  pole's foot to L (-cos a, -sin a), where L = h / tan e. L is clamped to 4, beyond the image.
- The pole's side is bright by AMBIENT + (1 - AMBIENT) max(0, n . l), its top by AMBIENT + (1 - AMBIENT) sin e.

All edges are one pixel soft, so an image changes continuously with both parameters. A pixel is 2 brightness - 1.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg.datasets.samples import Samples

HEIGHT = 0.8  # of the pole, in half widths of the image
RADIUS = 0.09
TILT = math.radians(55)  # of the camera above the plane
AMBIENT = 0.3  # ambient light, as a share of all
GROUND = 0.6  # reflectance of the plane; the pole's is 1
MAX_SHADOW = 4.0  # length, in half widths; the farthest corner of the image is 1.6 away
IMAGES_PER_CPU_BLOCK = 256  # so that temporaries stay in cache
UNITS = ("elevation (degrees)", "azimuth (degrees)")
MIN_ELEVATION, MAX_ELEVATION = 45.0, 80.0  # elevations of the paper's set, in degrees


class View(NamedTuple):
    """The scene in every pixel, which does not depend on the light."""

    x: Tensor  # [W], the point of the plane
    y: Tensor  # [H, 1]
    side: Tensor  # [H, W], share of the pixel that the pole's side covers
    top: Tensor  # [H, W], share that its top covers
    normal: Tensor  # [2, W], x and y of the side's normal, the mean over the pixel


def render(elevation: Tensor, azimuth: Tensor, size: int = 64) -> Tensor:
    """Images of a pole under light from the given directions.

    Args:
        elevation: ``[n]`` in radians, meant for (0, pi / 2]: pi / 2 is straight above. Not checked.
        azimuth: ``[n]`` in radians, any; 0 is light from the right, pi / 2 from behind the pole.
        size: height and width in pixels, at least 8.

    Returns:
        ``[n, 1, size, size]`` in [-1, 1], of the elevations' dtype, on their device. Continuous in both parameters,
        and differentiable almost everywhere.

    Raises:
        TypeError: a parameter is not a floating point tensor, or ``size`` is not an int.
        ValueError: a parameter is not one-dimensional, they differ in length, or ``size`` is too small.

    >>> render(torch.tensor([0.8, 1.2]), torch.tensor([0.0, 3.0])).shape
    torch.Size([2, 1, 64, 64])
    """
    for name, values in (("elevation", elevation), ("azimuth", azimuth)):
        _checks.check_vector(name, values)
    _checks.check_shape("azimuth", azimuth, elevation.shape, "elevation")
    _checks.as_count("size", size, low=8)
    wide = wide_dtype(elevation)
    view = _view(size, wide, elevation.device)
    block_size = IMAGES_PER_CPU_BLOCK if elevation.device.type == "cpu" else 64 * IMAGES_PER_CPU_BLOCK
    blocks = zip(elevation.to(wide).split(block_size), azimuth.to(wide).split(block_size), strict=True)
    return torch.cat([_draw(e, a, view) for e, a in blocks])[:, None].to(elevation.dtype)


def _view(size: int, dtype: torch.dtype, device: torch.device) -> View:
    """The scene, with the pole's outline from 8 x 8 points in every pixel."""
    points = 8
    fine = (torch.arange(size * points, dtype=dtype, device=device) + 0.5) / (size * points) * 2 - 1
    u, v = fine, -fine[:, None]  # rows go down
    half_depth = math.sin(TILT) * (RADIUS**2 - u.square()).clamp(min=0).sqrt()  # of top and foot, on the screen
    rim = HEIGHT * math.cos(TILT)
    inside = u.abs() < RADIUS
    top = inside & ((v - rim).abs() <= half_depth)
    side = inside & (v >= -half_depth) & (v < rim - half_depth)
    coverage = [
        part.to(dtype).unflatten(0, (size, points)).unflatten(2, (size, points)).mean((1, 3))
        for part in (side, top)
    ]
    across = (u / RADIUS).clamp(-1, 1)
    facing = torch.stack([across, -(1 - across.square()).sqrt()])  # normals of the half that faces the camera
    points_inside = inside.to(dtype).unflatten(0, (size, points))
    normal = (facing.unflatten(1, (size, points)) * points_inside).sum(2) / points_inside.sum(1).clamp(min=1)
    pixel = (torch.arange(size, dtype=dtype, device=device) + 0.5) / size * 2 - 1
    return View(pixel, -pixel[:, None] / math.sin(TILT), coverage[0], coverage[1], normal)


def _draw(elevation: Tensor, azimuth: Tensor, view: View) -> Tensor:
    """The images ``[n, H, W]``."""
    rise, flat = elevation.sin()[:, None, None], elevation.cos()[:, None, None]  # [n, 1, 1]
    light_x, light_y = azimuth.cos()[:, None, None], azimuth.sin()[:, None, None]
    lit = 1 - _shadow(rise, flat, light_x, light_y, view)
    plane = GROUND * (AMBIENT + (1 - AMBIENT) * rise * lit)
    facing = flat * (light_x * view.normal[0] + light_y * view.normal[1])  # [n, 1, W]
    side = AMBIENT + (1 - AMBIENT) * facing.clamp(min=0)
    top = AMBIENT + (1 - AMBIENT) * rise
    bright = plane * (1 - view.side - view.top) + side * view.side + top * view.top
    return 2 * bright - 1


def _shadow(rise: Tensor, flat: Tensor, light_x: Tensor, light_y: Tensor, view: View) -> Tensor:
    """The share of each pixel of the plane that lies in the shadow, ``[n, H, W]``."""
    length = (HEIGHT * flat / rise.clamp(min=1e-6)).clamp(0, MAX_SHADOW)
    along = -(view.x * light_x + view.y * light_y)
    across = view.x * light_y - view.y * light_x
    beyond = along - along.clamp(min=0).minimum(length)  # the tip or the foot, 0 between them
    distance = (across.square() + beyond.square()).clamp(min=1e-12).sqrt()
    width = view.x[1] - view.x[0]  # of a pixel
    return ((RADIUS - distance) / width + 0.5).clamp(0, 1)


def sample(
    n: int, size: int = 64, *, generator: torch.Generator | None = None, device: torch.device | str | None = None
) -> Samples:
    """``n`` images with their (elevation, azimuth) in degrees, uniform over [45, 80) and [0, 360).

    Raises:
        TypeError, ValueError: ``n`` or ``size`` is not a count, or ``generator`` none.
    """
    _checks.as_count("n", n)
    _checks.as_generator(generator)
    low = torch.tensor([MIN_ELEVATION, 0.0], device=device)
    span = torch.tensor([MAX_ELEVATION - MIN_ELEVATION, 360.0], device=device)
    return _images(low + span * torch.rand(n, 2, generator=generator, device=device), size)


def paper_set(size: int = 64) -> Samples:
    """The paper's 576 directions: 8 elevations of 45, 50, ..., 80 degrees by 72 azimuths of 0, 5, ..., 355.

    Image 72 i + j has elevation 45 + 5 i and azimuth 5 j.
    """
    return _images(
        torch.cartesian_prod(torch.arange(MIN_ELEVATION, MAX_ELEVATION + 1, 5), torch.arange(0.0, 360.0, 5)), size
    )


def _images(degrees: Tensor, size: int) -> Samples:
    elevation, azimuth = degrees.deg2rad().unbind(1)
    return Samples(
        render(elevation, azimuth, size), parameters=degrees, period=(None, 360.0), units=UNITS, name="pole"
    )
