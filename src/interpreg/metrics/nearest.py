"""Nearest neighbours of images in a reference set, and their distances."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from interpreg import _checks
from interpreg import _progress as bars
from interpreg.metrics._codes import check_finite

MEASURES = ("cosine", "mse")
IMAGES_PER_BLOCK, REFERENCES_PER_BLOCK = 1024, 16_384  # at most; fewer of large images: bound the memory
REFERENCE_NUMBERS = 2**24  # 128 MiB in float64


class Nearest(NamedTuple):
    """For every image, the distance to the nearest reference and the index of that one; ``[n]`` each."""

    distances: Tensor
    indices: Tensor


def nearest(
    images: Tensor,
    references: Tensor,
    measure: Literal["cosine", "mse"] = "cosine",
    *,
    leave_out: Tensor | None = None,
    progress: bool = False,
) -> Nearest:
    r"""The nearest of ``references`` to each of ``images``.

    ``"cosine"`` is :math:`1 - \frac{x \cdot r}{\lVert x \rVert \lVert r \rVert}` on raw, uncentred values (ACAI,
    eqs 4 and 5), in [0, 2]; ``"mse"`` is the mean squared difference of an element. Computed in float64, because
    neighbours in a dense reference set differ by less than float32 resolves. The cosine distance of an image of
    zeros is undefined: NaN.

    Args:
        images: ``[n, ...]``, floating point.
        references: ``[m, ...]``, of the images' shape but for the first axis.
        measure: "cosine" or "mse".
        leave_out: for each image the index of a reference that does not count, such as itself; -1 for none. ``[n]``.
        progress: show a bar on a terminal if it takes long.

    Returns:
        Distances (float64) and indices into ``references``.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, no references, values that are not finite, an
            unknown measure.

    >>> references = torch.eye(3)
    >>> nearest(torch.tensor([[0.0, 2.0, 0.0]]), references)
    Nearest(distances=tensor([0.], dtype=torch.float64), indices=tensor([1]))
    """
    check_finite("images", images)
    check_finite("references", references)
    _checks.check_one_of("measure", measure, MEASURES)
    if len(references) == 0 or references.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"references: expected at least one of shape {tuple(images.shape[1:])}, "
            f"got {_checks.describe(references)}"
        )
    if leave_out is not None:
        _check_indices(leave_out, images, references)
        if len(references) < 2:
            raise ValueError(f"references: expected two where one is left out, got {_checks.describe(references)}")
    x = images.detach().reshape(len(images), references[0].numel())
    best = x.new_full((len(x),), -torch.inf, dtype=torch.float64)  # the largest similarity so far
    indices = torch.zeros(len(x), dtype=torch.long, device=x.device)
    height, width = _block_sizes(x.shape[1])
    offsets, firsts = range(0, len(references), width), range(0, len(x), height)
    pieces = [(offset, first) for offset in offsets for first in firsts]
    for offset, first in bars.progress(pieces, "matching", shown=progress):
        if first == 0:
            rows = references[offset : offset + width].detach().reshape(-1, x.shape[1]).double()
            rows = normalize(rows, dim=1) if measure == "cosine" else rows
        block = slice(first, first + height)
        similarities = x[block].double() @ rows.T  # [images, references]
        if measure == "mse":
            # minus the squared distance, up to the squares of x
            similarities = 2 * similarities - rows.square().sum(1)
        if leave_out is not None:
            numbers = torch.arange(offset, offset + len(rows), device=x.device)
            similarities.masked_fill_(numbers == leave_out[block, None].to(x.device), -torch.inf)
        similarity, index = similarities.max(1)
        better = similarity > best[block]
        best[block] = torch.where(better, similarity, best[block])
        indices[block] = torch.where(better, index + offset, indices[block])
    if measure == "cosine":
        norms = [block.double().norm(dim=1) for block in x.split(height)]
        return Nearest(1 - best / torch.cat(norms) if norms else best, indices)
    return Nearest(_mean_squares(x, references.detach().reshape(-1, x.shape[1]), indices), indices)


def _check_indices(leave_out: Tensor, images: Tensor, references: Tensor) -> None:
    _checks.check_labels("leave_out", leave_out, len(images), "the images")
    if ((leave_out < -1) | (leave_out >= len(references))).any():
        raise ValueError(f"leave_out: expected -1 or indices below {len(references)}, got some outside")


def _block_sizes(elements: int) -> tuple[int, int]:
    """How many images and how many references are compared at a time."""
    count = max(1, REFERENCE_NUMBERS // max(1, elements))
    return min(IMAGES_PER_BLOCK, max(1, count // 4)), min(REFERENCES_PER_BLOCK, count)


def _mean_squares(x: Tensor, rows: Tensor, indices: Tensor) -> Tensor:
    """The distances to the nearest references, without the cancellation of the expansion."""
    height, _ = _block_sizes(x.shape[1])
    blocks = zip(x.split(height), indices.split(height), strict=True)
    means = [(block.double() - rows[index].double()).square().mean(1) for block, index in blocks]
    return torch.cat(means) if means else x.new_empty(0, dtype=torch.float64)
