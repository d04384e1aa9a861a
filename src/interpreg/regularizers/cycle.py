"""Whether interpolants are encoded to the codes that they were decoded from."""

from typing_extensions import override

from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.functional.cycle import cycle_loss
from interpreg.interpolator import Interpolator
from interpreg.regularizers.base import Regularizer, as_interpolator
from interpreg.regularizers.weights import Weight


class CycleConsistency(Regularizer):
    r"""Term ``cycle``: :math:`\overline{(z_\mathrm{mix} - f(g(z_\mathrm{mix})))^2}`, lest codes share an image.

    AEAI's :math:`\mathcal L_C` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a mean over the batch and over elements; with a
    padding mask over valid positions, where codes are sequences. Gradients go through both codes: the paper stops none.
    An encoder that draws its codes is used as it is, so its noise is in the loss. Calls of the networks a batch:
    encoder 2, decoder 1, and no decoder call of its own where another term decodes the interpolants.

    Args:
        encoder, decoder: the pair.
        interpolator: what mixes; when not given, what the sum lends, or else ACAI's.
        weight: lambda_C (paper: 0.01); at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; at a call, too few samples to mix.
    """

    name = "cycle"
    weight = Weight()

    def __init__(
        self, encoder: Network, decoder: Network, *, interpolator: Interpolator | None = None, weight: float = 1e-2
    ) -> None:
        super().__init__(encoder, decoder)
        self.interpolator = as_interpolator(interpolator)
        self.weight = weight

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        mixed = batch.interpolants(self.interpolator)
        value = cycle_loss(mixed.z_mix, batch.recoded(self.interpolator), mixed.mask)
        return {"cycle": Term(value, self.weight)}

    @override
    def lends(self) -> Interpolator | None:
        return self.interpolator

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        (self.interpolator or lent).check_batch(size)
