"""Rows of interpolations, several methods under each other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from interpreg import _checks
from interpreg.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP_GAP = 0.08  # of an image's height, between two images
PAIR_GAP = 0.35  # between one pair of ends and the next


def interpolation_rows(
    rows: Mapping[str, Tensor] | Tensor, ends: tuple[Tensor, Tensor] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw interpolations of the same pairs by several methods, a row a method, a block a pair.

    Args:
        rows: for each method its paths, ``[n, steps, C, H, W]`` in [-1, 1], C 1 or 3; all of one shape. Or the
            paths of a single method without a name.
        ends: the data ``([n, C, H, W], [n, C, H, W])`` that the paths lead from and to; drawn at both sides.
        ax: where to draw; a new figure of fitting size when not given.

    Raises:
        TypeError, ValueError: no methods, tensors of the wrong type or shape, values that are not finite.
        ImportError: matplotlib is not installed.
    """
    methods = _canvas.methods("rows", rows)
    n, steps, _, height, width = _checked(methods, ends)
    rim = max(1, round(STEP_GAP * height))
    gap = max(2, round(PAIR_GAP * height))
    strips: list[Tensor] = []
    centres: list[float] = []
    labels: list[str] = []
    top = 0
    for pair in range(n):
        for i, (name, _, paths) in enumerate(methods, 1):
            strip = _strip(paths[pair], ends and (ends[0][pair], ends[1][pair]), rim, gap)
            below = gap if i == len(methods) else rim
            strips.append(pad(strip, (0, 0, 0, below), value=torch.nan))
            centres.append(top + (height - 1) / 2)
            labels.append(name)
            top += height + below
    sheet = torch.cat(strips, dim=1)[:, :-gap]
    tall, wide = sheet.shape[1:]
    inches = 0.55 * (steps + (2 if ends else 0))
    ax = _canvas.canvas(ax, "interpolation_rows", inches + 1, inches * tall / wide + 0.4)
    _canvas.show(ax, _canvas.as_rgb(sheet))
    if isinstance(rows, Mapping):
        ax.set_yticks(centres, labels)
    if ends:
        ax.set_xticks([width / 2, wide / 2, wide - width / 2], ["data", "interpolation", "data"])
    ax.tick_params(length=0)
    return ax


def _checked(methods: list[tuple[str, str, Tensor]], ends: tuple[Tensor, Tensor] | None) -> torch.Size:
    """The shape that all methods' paths have."""
    for _, title, paths in methods:
        _checks.check_tensor(title, paths)
        shape = methods[0][2].shape
        _checks.check_shape(title, paths, shape, "the other methods")
        if len(shape) != 5 or shape[2] not in (1, 3) or 0 in shape:
            raise ValueError(f"rows: expected shape [n, steps, 1 or 3, H, W], got {tuple(shape)}")
        _canvas.check_finite(title, paths)
        _canvas.warn_of_range(title, paths)
    for index, end in enumerate(ends or ()):
        _checks.check_tensor(f"ends[{index}]", end)
        _checks.check_shape(f"ends[{index}]", end, torch.Size([shape[0], *shape[2:]]), "one image a path")
        _canvas.check_finite(f"ends[{index}]", end)
    return shape


def _strip(path: Tensor, ends: tuple[Tensor, Tensor] | None, rim: int, gap: int) -> Tensor:
    """One row of images side by side, ``[C, H, W']``, the data at its ends set apart."""
    images, gaps = [*path.detach().float()], [0, *[rim] * (len(path) - 1)]
    if ends is not None:
        start, end = (image.detach().to(images[0]) for image in ends)
        images, gaps = [start, *images, end], [0, gap, *gaps[1:], gap]
    strips = [pad(image, (before, 0), value=torch.nan) for image, before in zip(images, gaps, strict=True)]
    return torch.cat(strips, dim=2)
