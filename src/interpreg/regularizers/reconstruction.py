"""The reconstruction term: what every autoencoder minimises."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.regularizers.base import Regularizer

ReconstructionLoss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, ReconstructionLoss] = {"mse": mse_loss, "l1": l1_loss}


class Reconstruction(Regularizer):
    r"""Term ``reconstruction``: how far ``decoder(encoder(x))`` is from ``x``.

    With the default, :math:`\frac{1}{N} \sum_i (\hat x_i - x_i)^2`, the mean over the batch *and* over elements
    (ACAI, eq. 2, as its published weights assume with pixels in [-1, 1]). In fp32 at least.

    Args:
        encoder, decoder: the pair.
        loss: "mse", "l1", or any callable ``loss(x_hat, x)`` that returns a 0-dim tensor.
        weight: at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a loss that is not 0-dim.
    """

    name = "reconstruction"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        loss: str | ReconstructionLoss = "mse",
        weight: float = 1.0,
    ) -> None:
        if not callable(loss):
            _checks.is_one_of("reconstruction loss", loss, LOSSES)
        super().__init__(encoder, decoder)
        # in a tuple: a loss that is a module, a perceptual one say, is the user's and not this module's
        self._loss = (loss if callable(loss) else LOSSES[loss],)
        self.weight = _checks.is_number("weight", weight)

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        dtype = torch.promote_types(batch.x.dtype, torch.float32)
        value = self._loss[0](batch.x_hat.to(dtype), batch.x.to(dtype))
        if not isinstance(value, Tensor) or value.ndim != 0:
            raise ValueError(
                f"reconstruction loss: expected a 0-dim tensor from it, got {_checks.describe(value)}"
            )
        return {"reconstruction": Term(value, self.weight)}
