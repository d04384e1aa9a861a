"""How far images are from real ones: nearest neighbours in a reference set."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from interpreg import _checks

MEASURES = ("cosine", "mse")
BLOCK = 1024  # images compared at a time, so that memory stays bounded


class Nearest(NamedTuple):
    """For every image, the distance to the nearest reference and which one that is; ``[n]`` each."""

    distances: Tensor
    indices: Tensor


def nearest(images: Tensor, references: Tensor, measure: Literal["cosine", "mse"] = "cosine") -> Nearest:
    r"""The nearest of ``references`` to each of ``images``.

    ``"cosine"`` is :math:`1 - \frac{x \cdot r}{\lVert x \rVert \lVert r \rVert}` on raw, uncentred values (ACAI,
    eqs 4 and 5), in [0, 2]; ``"mse"`` is the mean squared difference of an element. Computed in float64, because
    neighbours in a dense reference set differ by less than float32 resolves. The cosine distance of an image of
    zeros is undefined: NaN.

    Args:
        images: ``[n, ...]``, floating point.
        references: ``[m, ...]``, of the images' shape but for the first axis.
        measure: "cosine" or "mse".

    Returns:
        Distances (float64) and indices into ``references``.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, no references, an unknown measure.

    >>> references = torch.eye(3)
    >>> nearest(torch.tensor([[0.0, 2.0, 0.0]]), references)
    Nearest(distances=tensor([0.], dtype=torch.float64), indices=tensor([1]))
    """
    _checks.is_tensor("images", images)
    _checks.is_tensor("references", references)
    _checks.is_one_of("measure", measure, MEASURES)
    if len(references) == 0 or references.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"references: expected at least one of shape {tuple(images.shape[1:])}, "
            f"got {_checks.describe(references)}"
        )
    known = references.reshape(len(references), -1).double()
    if measure == "cosine":
        known = normalize(known, dim=1)
    squares = known.square().sum(1)
    distances, indices = [], []
    for block in images.reshape(len(images), known.shape[1]).split(BLOCK):
        x = block.double()
        if measure == "cosine":
            distance, index = (x @ known.T).max(1)
            distance = 1 - distance / x.norm(dim=1)
        else:
            distance, index = (squares - 2 * (x @ known.T)).min(1)
            distance = (x - known[index]).square().mean(1)  # without the cancellation of the expansion
        distances.append(distance)
        indices.append(index)
    if not distances:
        return Nearest(known.new_empty(0), torch.empty(0, dtype=torch.long, device=known.device))
    return Nearest(torch.cat(distances), torch.cat(indices))
