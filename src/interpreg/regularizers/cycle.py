"""Cycle consistency: interpolants should be encoded to the codes that they were decoded from."""

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional.cycle import cycle_loss
from interpreg.needs import CodeMixer, Decode, Need
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.mixers import as_mixer
from interpreg.regularizers.weights import WeightLike


class CycleConsistency(SingleTerm):
    r"""Term ``cycle``: :math:`\overline{(z_\mathrm{mix} - f(g(z_\mathrm{mix})))^2}`.

    It separates the images of different codes. AEAI's :math:`\mathcal L_C` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a
    mean over the batch and over elements; with a padding mask over valid positions, where codes are sequences.
    Gradients go through both codes: the paper stops none. The noise of an encoder that samples its codes is part of the
    loss. Calls of the networks a batch: encoder 2, decoder 1, which it shares with other terms of the same
    interpolants.

    Args:
        encoder, decoder: the pair.
        interpolator: mixes the codes; when not given, the sum's interpolator, or else ACAI's.
        weight: lambda_C (paper: 0.01); at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; at a call, too few samples to mix.
    """

    name = "cycle"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        interpolator: CodeMixer | None = None,
        weight: WeightLike = 1e-2,
    ) -> None:
        super().__init__(encoder, decoder, weight=weight)
        self.interpolator = as_mixer(interpolator)

    @override
    def needs(self) -> Sequence[Need]:
        return [Decode(self.interpolator)]

    @override
    def value(self, batch: Batch) -> Tensor:
        mixed = batch.interpolants(self.interpolator)
        return cycle_loss(mixed.z_mix, batch.reencoded(self.interpolator), mixed.mask)
