r"""The stripes of MIDR-AE (section 5.2, eq. 11): a sine wave over the image, with two parameters.

The pixel of column x and row y is

    sin(alpha ((y - c) cos theta - (x - c) sin theta)),    c = size / 2,

alpha the stripes' frequency in radians a pixel and theta their direction. Turning by pi flips the sign of an image,
so the period of theta is 2 pi. The paper has 10,000 images with alpha from 0.3 to 0.7 in steps of 0.004 and theta in
steps of 0.02 pi; its released code draws fresh images, alpha uniformly from [0.2, 0.7] and theta uniformly from
[0, 2 pi). The centre is that of the code: the pixel (16, 16) of 32, not the middle of the image.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg.datasets.samples import Samples

PRESETS = (None, "published")
UNITS = ("alpha (radians a pixel)", "theta (radians)")


def render(alpha: Tensor, theta: Tensor, size: int = 32) -> Tensor:
    """Images of stripes.

    Args:
        alpha: ``[n]``, frequencies in radians a pixel; floating point.
        theta: ``[n]``, directions in radians.
        size: height and width in pixels, at least 1.

    Returns:
        ``[n, 1, size, size]`` in [-1, 1], of alpha's dtype, on its device. Differentiable in both parameters.

    Raises:
        TypeError: a parameter is not a floating point tensor, or ``size`` is not an int.
        ValueError: a parameter is not one-dimensional, or they differ in length.

    >>> render(torch.tensor([0.3, 0.7]), torch.tensor([0.0, math.pi])).shape
    torch.Size([2, 1, 32, 32])
    """
    for name, values in (("alpha", alpha), ("theta", theta)):
        _checks.check_vector(name, values)
    _checks.check_shape("theta", theta, alpha.shape, "alpha")
    _checks.as_count("size", size, low=1)
    pixel = torch.arange(size, dtype=alpha.dtype, device=alpha.device) - size / 2
    rows = (alpha * theta.cos())[:, None] * pixel  # [n, H]
    columns = (alpha * theta.sin())[:, None] * pixel
    return (rows[:, :, None] - columns[:, None, :]).sin()[:, None]


def sample(
    n: int,
    size: int = 32,
    *,
    preset: Literal["published"] | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Samples:
    """``n`` images of stripes ``[n, 1, size, size]`` with their parameters (alpha, theta); neither source has labels.

    Args:
        n: number of images.
        size: height and width in pixels.
        preset: None draws from the paper's grid, with replacement; "published" as the released code does.
        generator: of the random numbers, on ``device``.
        device: of the images.

    Raises:
        TypeError, ValueError: ``n`` or ``size`` is not a count, ``generator`` none, or the ``preset`` unknown.
    """
    _checks.as_count("n", n)
    _checks.as_generator(generator)
    _checks.check_one_of("preset", preset, PRESETS)
    if preset == "published":
        alpha = 0.2 + 0.5 * torch.rand(n, generator=generator, device=device)
        theta = 2 * math.pi * torch.rand(n, generator=generator, device=device)
    else:
        alpha = 0.3 + 0.004 * torch.randint(101, (n,), generator=generator, device=device)
        theta = 0.02 * math.pi * torch.randint(100, (n,), generator=generator, device=device)
    parameters = torch.stack([alpha, theta], 1)
    return Samples(render(alpha, theta, size), None, parameters, (None, 2 * math.pi), UNITS, "stripes")
