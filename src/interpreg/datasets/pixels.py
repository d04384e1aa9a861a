"""The range of pixels: floats in [-1, 1], as the papers' weights and the pictures assume."""

import torch
from torch import Tensor

DEPTHS = (1, 255, 1023, 4095, 16383, 65535)  # the largest values of 1, 8, 10, 12, 14 and 16 bits
TOLERANCE = 0.05  # beyond [-1, 1], of decoded or resized images
MIN_SHARE = 1 / 8  # of the largest possible integer, that the brightest pixel of a set has


def extremes(images: Tensor) -> tuple[float, float]:
    """The smallest and the largest pixel; (0, 0) where there is none."""
    if images.numel() == 0:
        return 0.0, 0.0
    # torch has few operations on wide unsigned integers
    values = images if images.is_floating_point() or images.dtype == torch.uint8 else images.to(torch.int64)
    low, high = values.aminmax()
    return float(low), float(high)


def mend(images: Tensor) -> str:
    """The expression that scales ``x`` to [-1, 1], by its dtype and values.

    >>> mend(torch.tensor([0, 40_000], dtype=torch.int32)), mend(torch.tensor([0.0, 1.0]))
    ('x.float() / 32767.5 - 1', '2 * x - 1')
    """
    if images.dtype == torch.bool:
        return "2 * x.float() - 1"
    low, high = extremes(images)
    x = "x" if images.is_floating_point() else "x.float()"
    if low >= 0 and high <= DEPTHS[-1]:
        depth = next(each for each in DEPTHS if high <= each) if images.dtype != torch.uint8 else 255
        return f"2 * {x} - 1" if depth == 1 else f"{x} / {depth / 2:g} - 1"
    return f"2 * ({x} - {low:g}) / {high - low:g} - 1"


def check_depth(name: str, images: Tensor, largest: int = 255) -> None:
    """Raise ``ValueError`` if integers use so little of their range that they must be of fewer bits."""
    _, high = extremes(images)
    if 0 < high < MIN_SHARE * largest:
        raise ValueError(
            f"{name}: expected pixels of 0 to {largest}, as {images.dtype} is scaled, got at most {high:g}; "
            f"give floats in [-1, 1], such as x.float() / {high / 2:g} - 1"
        )


def doubt(name: str, images: Tensor) -> str:
    """What is wrong with the range of floating point images ``[n, 1 or 3, H, W]``, and what mends it; or ""."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.is_floating_point():
        return ""
    low, high = extremes(images)
    if not 0 <= low < high <= 1 and low >= -1 - TOLERANCE and high <= 1 + TOLERANCE:
        return ""
    return (
        f"{name}: expected images in [-1, 1], got values from {low:.4g} to {high:.4g}, on which the scores and the "
        f"pictures depend; give {mend(images)}, and networks of that range"
    )


def sigmoid_doubt(images: Tensor, x_hat: Tensor) -> str:
    """What is wrong with reconstructions in [0, 1] of images in [-1, 1]; or ""."""
    (low, _), (least, most) = extremes(images), extremes(x_hat)
    if low > -0.5 or not (least >= 0 and 0.5 < most <= 1):
        return ""
    return (
        f"decoder: expected the range of the data, from {low:.4g}, got reconstructions from {least:.4g} to {most:.4g}; "
        "end it in a tanh or nothing instead of a sigmoid, or measure lambda z: 2 * decoder(z) - 1"
    )
