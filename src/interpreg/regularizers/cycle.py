"""Cycle consistency: interpolants should be encoded to the codes that they were decoded from."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor
from typing_extensions import override

from interpreg._types import Network, Term
from interpreg.batch import Batch, Decode, Need
from interpreg.functional.cycle import cycle_loss
from interpreg.interpolator import Interpolator
from interpreg.regularizers.base import Regularizer, as_interpolator
from interpreg.regularizers.weights import Weight, WeightLike


class CycleConsistency(Regularizer):
    r"""Term ``cycle``: :math:`\overline{(z_\mathrm{mix} - f(g(z_\mathrm{mix})))^2}`.

    It keeps different codes from sharing an image. AEAI's :math:`\mathcal L_C` (Oring, Yakhini, Hel-Or 2021, eq. 1) as
    a mean over the batch and over elements; with a padding mask over valid positions, where codes are sequences.
    Gradients go through both codes: the paper stops none. The noise of an encoder that samples its codes is part of the
    loss. Calls of the networks a batch: encoder 2, decoder 1, and no decoder call of its own where another term decodes
    the interpolants.

    Args:
        encoder, decoder: the pair.
        interpolator: what mixes; when not given, what the sum mixes, or else ACAI's.
        weight: lambda_C (paper: 0.01); at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; at a call, too few samples to mix.
    """

    name = "cycle"
    set_once = frozenset({"interpolator"})
    weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        interpolator: Interpolator | None = None,
        weight: WeightLike = 1e-2,
    ) -> None:
        super().__init__(encoder, decoder)
        self.interpolator = as_interpolator(interpolator)
        self.weight = weight

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        return {"cycle": Term(partial(self._loss, batch), self.weight)}

    def _loss(self, batch: Batch) -> Tensor:
        mixed = batch.interpolants(self.interpolator)
        return cycle_loss(mixed.z_mix, batch.reencoded(self.interpolator), mixed.mask)

    @override
    def needs(self) -> Sequence[Need]:
        return [Decode(self.interpolator)]
