"""Reconstruction from a corrupted input, or from a code with dropout."""

from typing import Any

import torch
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.bottlenecks.noise import Corrupt, Corruption
from interpreg.functional.noise import as_probability, drop_out
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.regularizers.reconstruction import Reconstruction
from interpreg.regularizers.weights import WeightLike


class Denoising(Reconstruction):
    r"""Term ``denoising``: the distance from x of the decoded code of a corrupted x (Vincent et al. 2008).

    .. math:: \overline{\ell(g(f(x + \epsilon)), x)}, \qquad \epsilon \sim \mathcal N(0, \mathrm{std}^2 I)

    In eval mode nothing is corrupted: the loss is that of the reconstruction. Calls of the networks a batch: encoder 1,
    decoder 1, besides those of other terms, whose codes are those of the clean x.

    Args:
        encoder, decoder: the pair; the encoder plain, not a :class:`interpreg.DenoisingBottleneck`.
        std: at least 0, in the units of x; when not given 1.0, as in ACAI's published comparison, on pixels in [-1, 1],
            unclipped.
        corrupt: instead of Gaussian noise, a callable of x that returns a corrupted x of the same shape.
        loss: as for :class:`Reconstruction`.
        weight: at least 0.
        generator: draws the noise; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "denoising"
    handed_on = frozenset({"std", "corrupt", "generator"})

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        std: float | None = None,
        corrupt: Corrupt | None = None,
        loss: str | ReconstructionLoss = "mse",
        weight: WeightLike = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(encoder, decoder, loss=loss, weight=weight)
        self.corruption = Corruption(std, corrupt, generator)

    @override
    def output(self, batch: Batch) -> Any:
        if not self.training:
            return batch.output
        x = batch.x if self.corruption.corrupt is None else batch.samples
        return batch.decoded(batch.encode(self.corruption(x), batch.mask), batch.mask)


class CodeDropout(Reconstruction):
    r"""Term ``dropout``: the distance from x of a decoded code with dropout.

    .. math:: \overline{\ell(g(m \odot f(x) / (1 - p)), x)}, \qquad m_j \sim \mathrm{Bernoulli}(1 - p)

    element by element. In eval mode nothing is dropped: the loss is that of the reconstruction. Calls of the networks a
    batch: encoder 1, decoder 1; other terms use the code without dropout.

    Args:
        encoder, decoder: the pair; the encoder plain, not a :class:`interpreg.DropoutBottleneck`.
        p: in [0, 1) (ACAI's published comparison: 0.5).
        loss: as for :class:`Reconstruction`.
        weight: at least 0.
        generator: draws the dropped elements; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "dropout"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        p: float = 0.5,
        loss: str | ReconstructionLoss = "mse",
        weight: WeightLike = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(encoder, decoder, loss=loss, weight=weight)
        self.p = as_probability(p)
        self.generator = _checks.as_generator(generator)

    @override
    def output(self, batch: Batch) -> Any:
        if not self.training:
            return batch.output
        return batch.decoded(drop_out(batch.z, self.p, generator=self.generator), batch.mask)
