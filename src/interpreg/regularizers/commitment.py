"""The distance of codes from their codebook vectors."""

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from interpreg._references import Reference
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.bottlenecks.base import the_bottleneck
from interpreg.bottlenecks.quantized import Quantized, VectorQuantizer
from interpreg.needs import Need
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike


class Commitment(SingleTerm):
    r"""Term ``commitment``: :math:`\overline{(z - \mathrm{sg}(e))^2}`, which keeps codes near the codebook.

    The last term of the VQ-VAE's loss (van den Oord et al. 2017, eq. 3) as a mean over the batch and over elements,
    with e the codebook vectors nearest to z and sg stopping gradients; with a padding mask over valid positions, where
    codes are sequences. The :class:`interpreg.VectorQuantizer` inside the encoder, at any depth, has computed it; no
    network is called.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        weight: beta (paper: 0.25); at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range, an encoder without exactly one vector quantizer;
            at a call, codes ``z`` that are not those of its latest call.
    """

    name = "commitment"
    bottleneck = Reference()

    def __init__(self, encoder: Network, decoder: Network, *, weight: WeightLike = 0.25) -> None:
        super().__init__(encoder, decoder, weight=weight)
        self.bottleneck = the_bottleneck(encoder, VectorQuantizer)

    @override
    def needs(self) -> Sequence[Need]:
        return [self.bottleneck]

    @override
    def value(self, batch: Batch) -> Tensor:
        aux: Quantized = batch.aux(self.bottleneck)
        return aux.commitment
