"""Distances of codes in proportion to the distances of their samples."""

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional.gaia import distance_loss
from interpreg.needs import AtLeast, Need
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike


class PairwiseDistance(SingleTerm):
    r"""Term ``distance``: pairs of codes are as far from each other as their samples, up to scale (GAIA).

    The formula is that of :func:`interpreg.functional.distance_loss`. Of padded sequences the positions count that are
    valid in both samples of a pair. Calls of the networks a batch: encoder 1, decoder 0.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        weight: at least 0. GAIA's published code has 5e-5, half its learning rate, which has hardly an effect.

    Raises:
        TypeError, ValueError: a weight of the wrong type or range; at a call, fewer than two samples.
    """

    name = "distance"

    def __init__(self, encoder: Network, decoder: Network, *, weight: WeightLike = 1.0) -> None:
        super().__init__(encoder, decoder, weight=weight)

    @override
    def needs(self) -> Sequence[Need]:
        return [AtLeast(2, "to have distances")]

    @override
    def value(self, batch: Batch) -> Tensor:
        return distance_loss(batch.x, batch.z, batch.mask)
