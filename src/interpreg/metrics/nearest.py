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
    _checks.check_one_of("measure", measure, MEASURES)
    if len(references) == 0 or references.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"references: expected at least one of shape {tuple(images.shape[1:])}, "
            f"got {_checks.describe(references)}"
        )
    if leave_out is not None:
        _checks.check_shape("leave_out", leave_out, images.shape[:1], "one index an image")
        if len(references) < 2:
            raise ValueError(f"references: expected two where one is left out, got {_checks.describe(references)}")
    x = images.detach().reshape(len(images), references[0].numel())
    best = x.new_full((len(x),), -torch.inf, dtype=torch.float64)  # the largest likeness so far
    indices = torch.zeros(len(x), dtype=torch.long, device=x.device)
    pieces = [
        (offset, first) for offset in range(0, len(references), REFERENCES) for first in range(0, len(x), BLOCK)
    ]
    for offset, first in bar(pieces, "matching", shown=progress):
        if first == 0:
            known = _widened(references[offset : offset + REFERENCES], measure)
        block = slice(first, first + BLOCK)
        likenesses = _likenesses(x[block].double(), known, measure)
        if leave_out is not None:
            numbers = torch.arange(offset, offset + len(known), device=x.device)
            likenesses.masked_fill_(numbers == leave_out[block, None].to(x.device), -torch.inf)
        likeness, index = likenesses.max(1)
        better = likeness > best[block]
        best[block] = torch.where(better, likeness, best[block])
        indices[block] = torch.where(better, index + offset, indices[block])
    if measure == "cosine":
        return Nearest(1 - best / x.double().norm(dim=1), indices)
    return Nearest(_mean_squares(x, references.detach().reshape(-1, x.shape[1]), indices), indices)


def _widened(references: Tensor, measure: str) -> Tensor:
    """Some references as rows in float64, of length 1 for the cosine."""
    known = references.detach().reshape(len(references), -1).double()
    return normalize(known, dim=1) if measure == "cosine" else known


def _likenesses(x: Tensor, known: Tensor, measure: str) -> Tensor:
    """What is largest for the nearest reference, ``[images, references]``: the squares of x are the same for all."""
    return x @ known.T if measure == "cosine" else 2 * (x @ known.T) - known.square().sum(1)


def _mean_squares(x: Tensor, known: Tensor, indices: Tensor) -> Tensor:
    """The distances to those that were found, without the cancellation of the expansion."""
    blocks = zip(x.split(BLOCK), indices.split(BLOCK), strict=True)
    means = [(block.double() - known[index].double()).square().mean(1) for block, index in blocks]
    return torch.cat(means) if means else x.new_empty(0, dtype=torch.float64)
