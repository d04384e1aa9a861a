"""Codes as far from each other as what they encode."""

from collections.abc import Sequence

from typing_extensions import override

from interpreg._types import Network, Term
from interpreg.batch import AtLeast, Batch, Need
from interpreg.functional.gaia import distance_loss
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.weights import Weight, WeightLike


class PairwiseDistance(Regularizer):
    r"""Term ``distance``: pairs of codes are as far from each other as their samples, up to scale (GAIA).

    .. math:: \frac{1}{B^2} \sum_{ij} (\ln(1 + \delta^x_{ij}) - \ln(1 + \delta^z_{ij}))^2

    with :math:`\delta` the mean squared differences of a pair over their mean in the batch
    (:func:`interpreg.functional.distance_loss`). Of padded sequences the positions count that are valid in both. Calls
    of the networks a batch: encoder 1, decoder 0.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        weight: at least 0. GAIA's published code has 5e-5, half its learning rate, which is next to nothing.

    Raises:
        TypeError, ValueError: a weight of the wrong type or range; at a call, fewer than two samples.
    """

    name = "distance"
    weight = Weight()

    def __init__(self, encoder: Network, decoder: Network, *, weight: WeightLike = 1.0) -> None:
        super().__init__(encoder, decoder)
        self.weight = weight

    @override
    def needs(self) -> Sequence[Need]:
        return [AtLeast(2, "to have distances")]

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        return {"distance": Term(lambda: distance_loss(batch.x, batch.z, batch.mask), self.weight)}
