"""The reconstruction term."""

from typing import Any

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
        loss: "mse", "l1", "bernoulli" or a callable, as for :func:`interpreg.functional.reconstruction_loss`. A
            callable is given what the decoder returns, which may be logits of tokens, a distribution or another number
            of points, and x of any dtype.
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

    def output(self, batch: Batch) -> Any:
        """What the decoder returns and is compared with x."""
        return batch.output

    @override
    def value(self, batch: Batch) -> Tensor:
        x = batch.samples if callable(self.loss) else batch.x  # refused before a network is called
        output = self.output(batch)
        if not callable(self.loss):
            output = batch.x_hat if output is batch.known_output else batch.as_images(output, len(x))
        return reconstruction_loss(output, x, self.loss, batch.mask)
