"""Sheets of images: one after the other, between four corners, drawn from a prior."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._networks import parameters_of
from interpreg._types import Network
from interpreg.functional import bilinear
from interpreg.metrics._evaluation import check_output, evaluating
from interpreg.plots import _canvas
from interpreg.priors import as_prior

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_HEIGHT = 0.3  # of an image's height, under each image that has a label
LETTER_INCHES = 0.065  # width of a letter of a label
BLOCK_GAP = 0.5  # of an image's height, between two methods' blocks
TITLE_HEIGHT = 0.1  # of a block's height, over it


def image_sheet(
    images: Tensor, columns: int | None = None, labels: Sequence[str] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw images side by side and row under row.

    Args:
        images: ``[n, C, H, W]``, C 1 or 3; floats in [-1, 1] (clamped to it) or uint8 in [0, 255].
        columns: images in a row; as many as make the sheet nearly square when not given.
        labels: a text under each image, as many as there are images.
        ax: where to draw; a new figure of fitting size when not given.

    Returns:
        The axes.

    Raises:
        TypeError: ``images`` is no floating point or uint8 tensor, ``columns`` no int, a label no text.
        ValueError: a wrong shape, values that are not finite, another number of labels than of images.
        ImportError: matplotlib is not installed.
    """
    _canvas.check_images("images", images, "n")
    _canvas.warn_of_range("images", images)
    n, _, height, width = images.shape
    if columns is None:
        columns = math.ceil(math.sqrt(n * height / width))
    columns = min(n, _checks.as_count("columns", columns, low=1))
    _check_labels(labels, n)
    rows = -(-n // columns)

    rim, below = _canvas.rim_of(height), math.ceil(LABEL_HEIGHT * height) if labels is not None else 0
    cells = torch.full((rows * columns, 3, height, width), torch.nan)
    cells[:n] = _canvas.as_rgb(images)
    picture = _canvas.sheet(cells.unflatten(0, (rows, columns)), rim, below)
    longest = max([3, *map(len, labels or ())])
    inches = columns * max(_canvas.IMAGE_INCHES * width / height, min(1.3, LETTER_INCHES * longest))
    ax = _canvas.canvas(ax, "image_sheet", inches, inches * picture.shape[1] / picture.shape[2], full=True)
    scale = _canvas.show(ax, picture)
    if labels is not None:
        size = min(9.0, 0.75 * below * scale, 1.5 * (width + rim) * scale / longest)
        for i, label in enumerate(labels):
            row, column = divmod(i, columns)
            x, y = column * (width + rim) + (width - 1) / 2, row * (height + rim + below) + height - 0.5
            ax.text(x, y + below * 0.08, label, ha="center", va="top", fontsize=size)
    return ax


def corner_grid(grids: Tensor | Mapping[str, Tensor], ax: "Axes | None" = None) -> "Axes":
    """Draw the images between four corners, for one method or several side by side.

    The corners, which are reconstructions, are framed. AEAI's figures 9 to 13 (arXiv 2008.01487); the grids are decoded
    :func:`interpreg.functional.bilinear` mixes of codes, as :func:`corner_grid_of` makes them.

    Args:
        grids: decoded images, ``[rows, columns, C, H, W]``, C 1 or 3, floats in [-1, 1] or uint8; or one such
            tensor a method, all of one shape, each drawn as a block under the method's name. Up to three blocks
            stand in one row, more in a nearly square arrangement.
        ax: where to draw; a new figure of fitting size when not given.

    Returns, raises: as :func:`image_sheet`; ValueError: no methods.
    """
    blocks = _checked(grids)
    rows, columns, _, height, width = next(iter(blocks.values())).shape
    rim, gap = _canvas.rim_of(height), math.ceil(BLOCK_GAP * height)
    pictures = [_canvas.sheet(_canvas.as_rgb(block), rim) for block in blocks.values()]
    across = len(blocks) if len(blocks) <= 3 else math.ceil(math.sqrt(len(blocks)))
    down = -(-len(blocks) // across)
    tall, wide = pictures[0].shape[1:]
    title = max(gap, math.ceil(TITLE_HEIGHT * tall)) if isinstance(grids, Mapping) else 0
    cells = torch.full((down * across, 3, title + tall, wide), torch.nan)
    cells[: len(blocks), :, title:] = torch.stack(pictures)
    picture = _canvas.sheet(cells.unflatten(0, (down, across)), gap)

    inches = min(_canvas.IMAGE_INCHES * columns * width / height, 4.2 if across == 1 else 2.8) * across
    ax = _canvas.canvas(ax, "corner_grid", inches, inches * picture.shape[1] / picture.shape[2], full=True)
    scale = _canvas.show(ax, picture)
    for i, name in enumerate(blocks):
        top, left = i // across * (title + tall + gap) + title, i % across * (wide + gap)
        _frame_corners(ax, left, top, (rows, columns, height, width), rim, scale)
        if title:
            size = min(10.0, 0.75 * title * scale, 1.5 * wide * scale / max(8, len(name)))
            ax.text(left + wide / 2 - 0.5, top - 0.1 * title, name, ha="center", va="bottom", fontsize=size)
    return ax


def corner_grid_of(
    encoder: Network, decoder: Network, corners: Tensor, steps: int = 7, ax: "Axes | None" = None
) -> "Axes":
    """Encode four images, mix their codes bilinearly, decode, draw: :func:`corner_grid` in one call.

    Args:
        encoder, decoder: one tensor in, one out; run in eval mode, without gradients, and then as they were.
        corners: ``[4, C, H, W]``: top left, top right, bottom left, bottom right.
        steps: rows and columns of the grid, at least 2.
        ax: where to draw; a new figure of fitting size when not given.

    Returns, raises: as :func:`corner_grid`.
    """
    _checks.check_network("encoder", encoder)
    _checks.check_network("decoder", decoder)
    _checks.check_tensor("corners", corners)
    _checks.check_batch_size("corners", corners, 4)
    with torch.no_grad(), evaluating(encoder):
        codes = encoder(corners.clone())  # which it may change in place
    check_output("encoder", codes)
    images = _canvas.decoded(decoder, bilinear(codes, steps, steps).flatten(0, 1), steps**2)
    return corner_grid(images.unflatten(0, (steps, steps)), ax=ax)


def prior_samples(
    decoder: Network,
    shape: Sequence[int],
    *,
    prior: Any = "normal",
    n: int = 64,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the images decoded from samples of a prior.

    Args:
        decoder: codes in, images ``[n, C, H, W]`` out; run in eval mode, without gradients.
        shape: a code's, without the batch.
        prior: a name ("normal", "ball", "sphere"), an :class:`interpreg.priors.Prior`, a torch distribution or a
            callable of the number of samples.
        n: number of samples.
        generator: of the random numbers; torch's default generator when not given.
        device: of the codes; the decoder's own when not given.
        ax: where to draw; a new figure of fitting size when not given.

    Returns:
        The axes of an :func:`image_sheet`.

    Raises:
        TypeError, ValueError: an argument of the wrong type or value; a decoder that returns no images.
        ImportError: matplotlib is not installed.
    """
    _checks.check_network("decoder", decoder)
    _checks.as_count("n", n, low=1)
    if isinstance(shape, (str, int)) or not shape:
        raise TypeError(f"shape: expected a code's shape without the batch, got {_checks.describe(shape)}")
    sizes = [_checks.as_count(f"shape[{i}]", size, low=1) for i, size in enumerate(shape)]
    _checks.as_generator(generator)
    own = next((p.detach() for p in parameters_of(decoder) if p.is_floating_point()), torch.zeros(0))
    like = own.new_zeros(1, math.prod(sizes))
    codes = as_prior(prior).sample(n, like.to(device), generator)
    return image_sheet(_canvas.decoded(decoder, codes.view(n, *sizes), n), ax=ax)


def _check_labels(labels: Sequence[str] | None, n: int) -> None:
    if labels is None:
        return
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"labels: expected a text for each image, got {_checks.describe(labels)}")
    if len(labels) != n:
        raise ValueError(f"labels: expected one for each of {n} images, got {len(labels)}")


def _checked(grids: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    methods = _canvas.methods("grids", grids)
    for _, title, grid in methods:
        _canvas.check_images(title, grid, "rows, columns")
        _canvas.warn_of_range(title, grid)
        _checks.check_shape(title, grid, methods[0][2].shape, "the other methods")
    return {name: grid for name, _, grid in methods}


def _frame_corners(
    ax: "Axes", left: int, top: int, size: tuple[int, int, int, int], rim: int, scale: float
) -> None:
    """A thin line around the first and last image of a block's first and last row."""
    rows, columns, height, width = size
    for row in {0, rows - 1}:
        for column in {0, columns - 1}:
            x, y = left + column * (width + rim) - 0.5, top + row * (height + rim) - 0.5
            frame = ([x, x + width, x + width, x, x], [y, y, y + height, y + height, y])
            ax.plot(*frame, color=_canvas.FRAME_COLOUR, linewidth=min(1.5, max(0.5, rim * scale)), clip_on=False)
