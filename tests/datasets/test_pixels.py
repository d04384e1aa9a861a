"""The range of pixels: what is in doubt, and the line that mends it."""

import pytest
import torch

from interpreg.datasets import pixels

IMAGES = torch.linspace(0, 1, 3 * 4 * 4).view(1, 3, 4, 4)


@pytest.mark.parametrize(("images", "mended"), [
    (IMAGES, "2 * x - 1"),
    (255 * IMAGES, "x / 127.5 - 1"),
    (65535 * IMAGES, "x / 32767.5 - 1"),
    (5 * IMAGES - 2, "2 * (x - -2) / 5 - 1"),
    (2.04 * IMAGES - 1, ""),
    (2 * IMAGES - 1, ""),
    (torch.zeros(1, 1, 4, 4), ""),  # a dark picture
    (255 * IMAGES.flatten(1), ""),  # no images
    (255 * IMAGES.repeat(1, 3, 1, 1), ""),  # maps of nine channels
])  # fmt: skip
def test_the_range_of_images(images: torch.Tensor, mended: str) -> None:
    doubt = pixels.doubt("data", images)
    assert f"give {mended}, and" in doubt if mended else not doubt
    if mended:
        brought = eval(mended, {"x": images})
        assert (brought.min().item(), brought.max().item()) == pytest.approx((-1, 1))


@pytest.mark.parametrize(("highest", "largest", "dtype"), [(1, 255, torch.uint8), (4095, 65535, torch.int32)])
def test_integers_of_fewer_bits_are_refused(highest: int, largest: int, dtype: torch.dtype) -> None:
    images = torch.tensor([[0, highest]], dtype=dtype)
    with pytest.raises(ValueError, match=rf"data: .*got at most {highest}; give .* / {highest / 2:g} - 1"):
        pixels.check_depth("data", images, largest)
    pixels.check_depth("data", torch.tensor([[0, largest]], dtype=dtype), largest)
    pixels.check_depth("data", torch.zeros(2, 0, dtype=dtype), largest)
