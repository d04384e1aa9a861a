r"""The lines benchmark of ACAI (section 3.1): white radii on black, one angle an image.

The rasteriser is the published one, exactly, in closed form. For an image of H x H pixels, span w = 2 and angle a,
a line runs from the centre (H/2, H/2) by C = (H/2 - 1) cos a columns and R = -(H/2 - 1) sin a rows. Its major
axis is the rows if \|R\| >= \|C\|, else the columns; T and U are the displacements along the major and the minor
axis, (t0, u0) is the end with the smaller major coordinate and t1 the other end's. For every whole t with
floor(t0) <= t < ceil(t1) the minor span [s, s + w], s = u0 - w/2 + (t - t0 - 1/2) U/T, is painted with its exact
coverage of each pixel, times (ceil(t0) - t0) if t < ceil(t0). A pixel is min(1, -1 + 2 coverage).

The rasteriser is discontinuous where the axes swap: two images on either side of 135 or 315 degrees differ as much as
ten degrees of rotation do elsewhere. The published numbers were obtained with it.
"""

import math

import torch
from torch import Tensor

from interpreg import _checks
from interpreg.datasets.samples import Samples

SPAN = 2.0  # pixels painted along the minor axis
IMAGES_PER_CPU_BLOCK = 256  # so that temporaries stay in cache


def render(angles: Tensor, size: int = 32) -> Tensor:
    """Images of lines, background -1 and line 1.

    Args:
        angles: ``[n]`` in radians, 0 to the right and growing anticlockwise; floating point.
        size: height and width in pixels, even and at least 4.

    Returns:
        ``[n, 1, size, size]`` in [-1, 1], of the angles' dtype, on their device.

    Raises:
        TypeError: ``angles`` is not a floating point tensor.
        ValueError: ``angles`` is not one-dimensional, or ``size`` is odd or too small.

    >>> render(torch.tensor([0.0, math.pi / 2])).shape
    torch.Size([2, 1, 32, 32])
    """
    _checks.check_vector("angles", angles)
    if _checks.as_count("size", size, low=4) % 2:
        raise ValueError(f"size: expected an even number of pixels, got {size}")
    block_size = IMAGES_PER_CPU_BLOCK if angles.device.type == "cpu" else 64 * IMAGES_PER_CPU_BLOCK
    images = [_draw(block, size) for block in _exact(angles).split(block_size)]
    return torch.cat(images)[:, None].to(angles.dtype)


def _exact(angles: Tensor) -> Tensor:
    """The angles in double precision; a float nearest to a multiple of 45 degrees becomes that multiple."""
    # MPS has no float64
    wide = torch.float32 if angles.device.type == "mps" else torch.float64
    exact = angles.to(wide)
    eighths = (exact / (math.pi / 4)).round() * (math.pi / 4)
    return torch.where(eighths.to(angles.dtype) == angles, eighths, exact)


def _draw(angles: Tensor, size: int) -> Tensor:
    """The images ``[n, rows, columns]`` of angles in double precision."""
    radius, centre = size / 2 - 1, size / 2
    columns, rows = radius * angles.cos(), -radius * angles.sin()  # [n]
    upright = rows.abs() >= columns.abs()
    along, across = torch.where(upright, rows, columns), torch.where(upright, columns, rows)
    t0, t1 = centre + along.clamp(max=0), centre + along.clamp(min=0)
    u0 = torch.where(along < 0, centre + across, centre)

    pixel = torch.arange(size, dtype=angles.dtype, device=angles.device)
    t, first = pixel, t0.ceil()[:, None]
    tip = torch.where(t < first, first - t0[:, None], 1.0)
    tip = tip * ((t >= t0.floor()[:, None]) & (t < t1.ceil()[:, None]))  # [n, major]
    start = (u0 - SPAN / 2)[:, None] + (t - t0[:, None] - 0.5) * (across / along)[:, None]
    # a clamp gives the part of each pixel below a point; the coverage is the difference of the span's two ends
    start = start[..., None] - pixel  # [n, major, minor]
    coverage = (start + SPAN).clamp_(0, 1).sub_(start.clamp_(0, 1))
    image = coverage.mul_(2 * tip[..., None]).sub_(1).clamp_(max=1)
    return torch.where(upright[:, None, None], image, image.mT)


def sample(
    n: int, size: int = 32, *, generator: torch.Generator | None = None, device: torch.device | str | None = None
) -> Samples:
    """``n`` lines ``[n, 1, size, size]`` at angles drawn uniformly from [0, 2 pi).

    The parameter is the angle in radians. The label is the tenth of a turn that contains it, floor(10 angle / (2 pi)),
    as in ACAI's published code.

    Raises:
        TypeError, ValueError: ``n`` or ``size`` is not a count, or ``generator`` none.
    """
    _checks.as_count("n", n)
    _checks.as_generator(generator)
    turns = torch.rand(n, generator=generator, device=device)
    angles = 2 * math.pi * turns
    labels = (10 * turns).long().clamp_(max=9)
    return Samples(render(angles, size), labels, angles[:, None], (2 * math.pi,), ("angle (radians)",), "lines")
