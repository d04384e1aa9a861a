"""How far images are from real ones: nearest neighbours in a reference set."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from interpreg import _checks
from interpreg._progress import progress as bar
from interpreg.metrics._paths import check_finite

MEASURES = ("cosine", "mse")
BLOCK = 1024  # images compared at a time, so that memory stays bounded
REFERENCES = 16_384  # references at a time, for the same reason


class Nearest(NamedTuple):
    """For every image, the distance to the nearest reference and which one that is; ``[n]`` each."""

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
    _checks.is_one_of("measure", measure, MEASURES)
    if len(references) == 0 or references.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"references: expected at least one of shape {tuple(images.shape[1:])}, "
            f"got {_checks.describe(references)}"
        )
    if leave_out is not None:
        _checks.has_shape("leave_out", leave_out, images.shape[:1], "one index an image")
        if len(references) < 2:
            raise ValueError(f"references: expected two where one is left out, got {_checks.describe(references)}")
    blocks = bar(_blocks(images, leave_out), "matching", shown=progress)
    found = [_compare(block, references, measure, left) for block, left in blocks]
    if not found:
        return Nearest(
            images.new_empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.long, device=images.device)
        )
    return Nearest(torch.cat([f.distances for f in found]), torch.cat([f.indices for f in found]))


def _blocks(images: Tensor, leave_out: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    """Flattened images, ``BLOCK`` at a time, with what is left out for them."""
    if len(images) == 0:
        return []
    blocks = images.detach().reshape(len(images), -1).split(BLOCK)
    left = [None] * len(blocks) if leave_out is None else list(leave_out.split(BLOCK))
    return list(zip(blocks, left, strict=True))


def _compare(block: Tensor, references: Tensor, measure: str, leave_out: Tensor | None) -> Nearest:
    """The nearest references to one block of images; references are widened in pieces, too."""
    x = block.double()
    best = x.new_full((len(x),), -torch.inf)  # the largest likeness so far
    indices = torch.zeros(len(x), dtype=torch.long, device=x.device)
    for offset in range(0, len(references), REFERENCES):
        known = references[offset : offset + REFERENCES].detach().reshape(-1, x.shape[1]).double()
        known = normalize(known, dim=1) if measure == "cosine" else known
        likenesses = x @ known.T
        if measure == "mse":  # the squares of x are the same for all
            likenesses = 2 * likenesses - known.square().sum(1)
        if leave_out is not None:
            here = torch.arange(offset, offset + len(known), device=x.device) == leave_out.to(x.device)[:, None]
            likenesses = likenesses.masked_fill(here, -torch.inf)
        likeness, index = likenesses.max(1)
        better = likeness > best
        best = torch.where(better, likeness, best)
        indices = torch.where(better, index + offset, indices)
    if measure == "cosine":
        return Nearest(1 - best / x.norm(dim=1), indices)
    chosen = references.reshape(len(references), -1)[indices].double()
    return Nearest((x - chosen).square().mean(1), indices)  # without the cancellation of the expansion
