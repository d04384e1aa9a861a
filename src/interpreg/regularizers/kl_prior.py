"""The divergence of a variational autoencoder's posterior from its prior."""

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._references import Reference
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.bottlenecks.base import bottlenecks_in, the_bottleneck
from interpreg.bottlenecks.gaussian import GaussianBottleneck
from interpreg.bottlenecks.quantized import VectorQuantizer
from interpreg.functional.kl import kl_to_normal
from interpreg.functional.means import check_positions, valid_count, valid_part, with_features
from interpreg.needs import Need
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike


class KLPrior(SingleTerm):
    r"""Term ``kl``: the KL divergence of the posterior from the standard normal prior, in nats per element of x.

    .. math::
        \frac{1}{B N} \sum_{b} \sum_{j} \frac12 \left(\mu_{bj}^2 + \sigma_{bj}^2 - 1 - \ln \sigma_{bj}^2\right)

    summed over the code, averaged over the batch and divided by N, the number of elements of one sample: so that its
    sum with a reconstruction term, which is a mean over elements, is the negative ELBO divided by N (Kingma and Welling
    2014, eq. 10), with ``loss="bernoulli"`` exactly, with "mse" that of a Gaussian decoder of variance 1/2 up to a
    constant. With a padding mask both sums are over valid positions: of the posterior, where it has them, and of x.

    The posterior is that of the :class:`interpreg.GaussianBottleneck` inside the encoder, at any depth; no network is
    called for it.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        weight: beta (Higgins et al. 2017); at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range, an encoder without exactly one Gaussian
            bottleneck; at a call, codes ``z`` that are not those of its latest call.
    """

    name = "kl"
    bottleneck = Reference()

    def __init__(self, encoder: Network, decoder: Network, *, weight: WeightLike = 1.0) -> None:
        super().__init__(encoder, decoder, weight=weight)
        if bottlenecks_in(encoder, VectorQuantizer) and not bottlenecks_in(encoder, GaussianBottleneck):
            raise TypeError(
                "encoder: expected a GaussianBottleneck inside, got a VectorQuantizer, which has no posterior; use "
                "VQVAERegularizer or Commitment, or MMDPrior to draw its codes towards a prior"
            )
        self.bottleneck = the_bottleneck(encoder, GaussianBottleneck)

    @override
    def needs(self) -> Sequence[Need]:
        return [self.bottleneck]

    @override
    def value(self, batch: Batch) -> Tensor:
        posterior = batch.aux(self.bottleneck)
        if batch.mask is not None:
            _checks.check_batch_size("posterior", posterior.mean, len(batch.mask))
            check_positions("posterior", posterior.mean, batch.mask)
        count = valid_count(with_features(batch.samples, batch.mask), batch.mask)
        return valid_part(kl_to_normal(*posterior), batch.mask).sum() / count
