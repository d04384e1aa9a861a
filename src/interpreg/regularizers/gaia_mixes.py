"""GAIA's mixes: pairs across the halves of a batch, or Dirichlet combinations of all of it."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import full_precision, normal, uniform, wide_dtype
from interpreg._types import Mix
from interpreg.batch import Batch
from interpreg.functional.means import aligned, has_positions
from interpreg.functional.mixing import mix, mix_of_valid
from interpreg.needs import AtLeast


class _WholeBatch:
    """A mixer of a batch of at least two samples."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = _checks.as_generator(generator)

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` for a batch of one."""
        AtLeast(2, "to mix with each other").check_batch(size)


class HalfBatchMix(_WholeBatch):
    r"""Pairs across the halves of a batch, with coefficients from :math:`\mathcal N(0.5, 0.25^2)`.

    Sample i of the first half is mixed with sample i of the second, and, a second time, the second half with the
    reversed first. One coefficient in 22 is outside [0, 1]: the mix is then beyond one of its ends. The last sample of
    an odd batch has no partner, so there is one mixed code less.
    """

    def mixed(self, batch: Batch) -> Mix:
        """The mixed codes of the first pairing and of the second."""
        z, mask = batch.z, batch.mask
        half = len(z) // 2
        beta = 0.5 + 0.25 * normal((2 * half,), z, self.generator)
        # of the own code, but drawn as that of the first half's code
        alpha = aligned(torch.cat([beta[:half], 1 - beta[half:]]), z)
        z, z_partner = z[: 2 * half], _across(z, half)
        if mask is not None:
            return mix_of_valid(mix, z, z_partner, alpha, mask[: 2 * half], _across(mask, half))
        return Mix(mix(z, z_partner, alpha), alpha, z_partner)


class DirichletMix(_WholeBatch):
    r"""As many convex combinations of a whole batch as it has samples, with few large weights.

    The weights are :math:`\chi^2_{1/B}` draws over their sum, which is the Dirichlet distribution with all parameters
    :math:`1/(2B)`. Draws so close to 0 that no float holds them are made and compared by their logarithms: Gamma(a) is
    distributed as Gamma(a + 1) times :math:`U^{1/a}`. At each position of padded sequences the sum is over the codes
    that are valid there. The coefficient is 1 - the largest weight.
    """

    def mixed(self, batch: Batch) -> Mix:
        """The combinations; valid wherever a code of the batch is."""
        z, mask = batch.z, batch.mask
        with full_precision(z):
            logits = self._logits(z)
            partner = z[logits.argmax(1)]
            if mask is not None and has_positions(z, mask):
                return self._of_valid(z, mask, logits, partner)
            weights = torch.softmax(logits, dim=1)
            z_mix = (weights @ z.reshape(len(z), -1).to(weights.dtype)).reshape(z.shape).to(z.dtype)
        valid = None if mask is None else mask.any(0, keepdim=True).expand_as(mask)
        return Mix(z_mix, aligned(1 - weights.amax(1), z), partner, valid)

    def _of_valid(self, z: Tensor, mask: Tensor, logits: Tensor, partner: Tensor) -> Mix:
        """The combinations of what is valid at each position; 0 where nothing is."""
        least = torch.finfo(logits.dtype).min  # not -inf, which has no softmax where nothing is valid
        valid_logits = torch.where(mask.T[None], logits[:, None], torch.full_like(logits[:, None], least))
        weights = torch.softmax(valid_logits, dim=2)  # [mixes, T, codes]
        z_mix = torch.einsum("itk,kt...->it...", weights, z.to(weights.dtype)).to(z.dtype)
        return Mix(z_mix, aligned(1 - weights.amax(2), z), partner, mask.any(0, keepdim=True).expand_as(mask))

    def _logits(self, z: Tensor) -> Tensor:
        """The logarithms of the weights before they are divided by their sum, ``[mixes, codes]``."""
        count = len(z)
        shape = 1 / (2 * count)
        ones = torch.ones(count, count, dtype=wide_dtype(z), device=z.device)
        log_gamma = torch._standard_gamma((1 + shape) * ones, generator=self.generator).log()
        u = uniform((count, count), z, self.generator)
        return log_gamma + torch.log1p(-u) / shape


def _across(values: Tensor, half: int) -> Tensor:
    """Each row's partner in the other half: the second half as it is, the first reversed."""
    return torch.cat([values[half : 2 * half], values[:half].flip(0)])
