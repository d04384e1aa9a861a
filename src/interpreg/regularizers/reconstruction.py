"""The reconstruction term."""

from torch import Tensor
from typing_extensions import override

from interpreg._references import Reference
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional.reconstruction import ReconstructionLoss, check_loss, reconstruction_loss
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike


class Reconstruction(SingleTerm):
    r"""Term ``reconstruction``: the distance of ``decoder(encoder(x))`` from ``x``.

    With the default, :math:`\frac{1}{N} \sum_i (\hat x_i - x_i)^2`, the mean over the batch *and* over elements
    (ACAI, eq. 2, as its published weights assume with pixels in [-1, 1]). In fp32 at least.

    Args:
        encoder, decoder: the pair.
        loss: "mse", "l1", "bernoulli" or a callable, as for :func:`interpreg.functional.reconstruction_loss`.
        weight: at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a loss that is not 0-dim.
    """

    name = "reconstruction"
    loss = Reference()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        loss: str | ReconstructionLoss = "mse",
        weight: WeightLike = 1.0,
    ) -> None:
        check_loss(loss)
        super().__init__(encoder, decoder, weight=weight)
        self.loss = loss

    def images(self, batch: Batch) -> Tensor:
        """The images that are compared with x."""
        return batch.x_hat

    @override
    def value(self, batch: Batch) -> Tensor:
        return reconstruction_loss(self.images(batch), batch.x, self.loss, batch.mask)
