"""Shared by the pictures: axes, colours for colour-blind readers, checks, sheets of images."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.datasets import pixels
from interpreg.metrics._evaluation import check_output, evaluating

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")
PALETTE = (  # Okabe and Ito 2008, the yellow last; a grey and a brown make it ten
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#666666", "#882200", "#F0E442",
)  # fmt: skip
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
MARKER_STYLE: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.5}
NARROW_AXES_POINTS = 180  # axes of less width have a smaller legend
FRAME_COLOUR = "#E69F00"  # visible on dark images and on light ones
IMAGE_INCHES = 0.6  # height of an image in a new figure
EDGE_INCHES = 0.04  # around a sheet
MAX_OVERSHOOT = 8.0  # of a decoder; floats of 0 to more must be pixels of 0 to 255 or above
IMAGE_GAP = 0.06  # of an image's height, between two images


def canvas(ax: "Axes | None", what_for: str, width: float, height: float, full: bool = False) -> "Axes":
    """``ax``, or the axes of a new figure of ``width`` x ``height`` inches.

    They fill a ``full`` figure but for its edges; the layout of any other makes room for labels and legends.
    """
    pyplot = optional_import("matplotlib.pyplot", "plot", what_for)
    if ax is None:
        x, y = EDGE_INCHES / width, EDGE_INCHES / height
        edges = {"left": x, "right": 1 - x, "bottom": y, "top": 1 - y}
        settings = {"gridspec_kw": edges} if full else {"layout": "compressed"}
        _, ax = pyplot.subplots(figsize=(width, height), dpi=150, **settings)
    elif not isinstance(ax, optional_import("matplotlib.axes", "plot", what_for).Axes):
        raise TypeError(f"ax: expected matplotlib axes, got {_checks.describe(ax)}")
    return ax


def legend(ax: "Axes", inside: str = "best", beside: bool = True, **settings: Any) -> None:
    """A legend right of the axes where the figure's layout makes room for it; ``inside`` them where it does not."""
    figure = ax.get_figure(root=True)
    if beside and figure is not None and figure.get_layout_engine() is not None:
        place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "fontsize": "small"}
    else:
        place = {"loc": inside, "fontsize": "small" if points_wide(ax)[0] > NARROW_AXES_POINTS else "xx-small"}
    ax.legend(framealpha=0.8, edgecolor="none", labelspacing=0.4, **place, **settings)


def save_png(ax: "Axes", file: Path | BytesIO, dpi: float | Literal["figure"] = "figure") -> None:
    """Write the whole figure of the axes as a PNG, and close it."""
    pyplot = optional_import("matplotlib.pyplot", "plot", "drawing images")
    figure = ax.get_figure(root=True)
    assert figure is not None
    try:
        figure.savefig(file, format="png", dpi=dpi, bbox_inches="tight")
    finally:
        pyplot.close(figure)


def label(ax: "Axes", x: str, y: str) -> None:
    """Name both axes; keep only the two spines that carry ticks, and a faint grid behind the curves."""
    ax.set(xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


def line_styles() -> Iterator[dict[str, Any]]:
    """Colour, dashes and marker of one line after the other; all three differ, so that lines differ in grey too."""
    for colour, dashes, marker in zip(cycle(PALETTE), cycle(DASHES), cycle(MARKERS), strict=False):
        yield {"color": colour, "linestyle": dashes, "marker": marker}


def methods(name: str, value: Mapping[str, T] | T, kind: str = "method") -> list[tuple[str, str, T]]:
    """Name, title in error messages, and value of each method; a value without a method has the name ""."""
    if not isinstance(value, Mapping):
        return [("", name, value)]
    if not value:
        raise ValueError(f"{name}: expected at least one {kind}, got none")
    return [(method, f"{name}[{method!r}]", each) for method, each in value.items()]


def check_finite(name: str, value: Tensor) -> None:
    """Raise ``ValueError`` unless all elements of ``value`` are finite numbers."""
    broken = int((~value.isfinite()).sum())
    if broken:
        raise ValueError(f"{name}: expected finite numbers, got {broken} of {value.numel()} that are not finite")


def as_tensor(name: str, value: Any) -> Tensor:
    """``value`` as a detached tensor on the CPU; ``TypeError`` if it holds no numbers."""
    try:
        return torch.as_tensor(value).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name}: expected a tensor, got {_checks.describe(value)}") from error


def check_images(name: str, value: Any, lead: str) -> None:
    """Raise unless ``value`` is ``[*lead, 1 or 3, H, W]``, uint8 or floating point and finite; none may be 0 long."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {_checks.describe(value)}")
    if value.dtype != torch.uint8 and not value.is_floating_point():
        raise TypeError(f"{name}: expected a floating point or uint8 tensor, got {_checks.describe(value)}")
    if value.ndim != lead.count(",") + 4 or value.shape[-3] not in (1, 3) or 0 in value.shape:
        raise ValueError(f"{name}: expected shape [{lead}, 1 or 3, H, W], got {tuple(value.shape)}")
    check_finite(name, value)


def warn_of_range(name: str, images: Tensor) -> None:
    """Warn if floats are pixels of 0 to 255 or more, which would be drawn white, or bytes zeros and ones."""
    low, high = pixels.extremes(images)
    if images.is_floating_point() and low >= 0 and high > MAX_OVERSHOOT:
        expected, colour, remedy = "in [-1, 1]", "white", pixels.mend(images)
    elif not images.is_floating_point() and high == 1:
        expected, colour, remedy = "of 0 to 255", "black", "255 * x"
    else:
        return
    warn(f"{name}: expected pixels {expected}, got values up to {high:g}, drawn {colour}; give {remedy}")


def decoded(decoder: Network, codes: Tensor, n: int) -> Tensor:
    """A decoder's images of ``n`` codes, without gradients and in eval mode; it is then as it was."""
    with torch.no_grad(), evaluating(decoder):
        images = decoder(codes.clone())  # which it may change in place
    check_output("decoder", images)
    check_images("decoder", images, str(n))
    _checks.check_batch_size("decoder", images, n)
    return images


def as_rgb(images: Tensor) -> Tensor:
    """Images ``[..., C, H, W]`` as RGB in [0, 1], ``[..., 3, H, W]`` on the CPU; of floats, -1 is black and 1 white."""
    images = images.detach().cpu()
    scaled = images / 255 if images.dtype == torch.uint8 else ((images.float() + 1) / 2).clamp(0, 1)
    return scaled.expand(*scaled.shape[:-3], 3, *scaled.shape[-2:])


def sheet(images: Tensor, rim: int, below: int = 0) -> Tensor:
    """Images ``[rows, columns, 3, H, W]`` in one, ``[3, H', W']``: rims of NaN between them, ``below`` more a row."""
    rows, columns, _, height, width = images.shape
    tiles = pad(images, (0, rim, 0, rim + below), value=torch.nan)
    whole = tiles.permute(2, 0, 3, 1, 4).reshape(3, rows * (height + rim + below), columns * (width + rim))
    return whole[:, : whole.shape[1] - rim, : whole.shape[2] - rim]


def rim_of(height: int) -> int:
    """The number of pixels between images of a height."""
    return max(1, round(IMAGE_GAP * height))


def as_rgba(picture: Tensor) -> NDArray[np.float32]:
    """RGBA ``[H, W, 4]`` of ``[3, H, W]``, transparent where the picture is NaN."""
    colours = picture.permute(1, 2, 0).float().numpy()
    alpha = (~np.isnan(colours).any(axis=2, keepdims=True)).astype(colours.dtype)
    return np.concatenate([np.nan_to_num(colours), alpha], axis=2)


def show(ax: "Axes", picture: Tensor) -> float:
    """Draw ``[3, H, W]`` without ticks and frame; the size of one of its pixels in typographic points."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.imshow(as_rgba(picture), interpolation="nearest")
    wide, tall = points_wide(ax)
    return min(wide / picture.shape[2], tall / picture.shape[1])


def points_wide(ax: "Axes") -> tuple[float, float]:
    """Width and height of the axes in typographic points."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_window_extent()
    return box.width * 72 / figure.dpi, box.height * 72 / figure.dpi
