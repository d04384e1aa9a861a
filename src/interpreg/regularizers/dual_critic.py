"""The game of MIDR-AE: a critic of interpolants, of decoded mixes with noise and of decoded noise."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg._references import Reference
from interpreg._types import Mix, Network
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.priors import Prior, as_prior, generator_of
from interpreg.regularizers.critic import Critic, Source
from interpreg.regularizers.mixers import as_interpolator
from interpreg.regularizers.weights import Weight, WeightLike


class DualCritic(Critic):
    r"""A :class:`Critic` that judges three kinds of generated images (MIDR-AE, eqs 6 to 10).

    .. math::
        x_\mu = g(\mu \odot z + (1 - \mu) \odot z_\mathrm{partner}), \quad
        x_{\mu h} = g(\nu \odot z + (1 - \nu) \odot h), \quad x_h = g(h), \quad h \sim p

    Terms ``interpolation``, ``noise`` and ``prior``, and the critic's ``critic/interpolation``, ``critic/noise``,
    ``critic/prior`` and ``critic/real``, the losses of a :class:`Critic` with the coefficients :math:`\mu`, :math:`\nu`
    and 1/2; :class:`MIDRAERegularizer` has their equations. One draw h of the prior is used for both kinds, and for an
    :class:`MMDPrior` of the same prior in the same sum. Calls of the networks a batch: encoder 1, decoder 4 (3 without
    reconstructions), critic 7.

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder.
        interpolator: mixes codes with each other; when not given, with a coefficient for each element.
        prior: the distribution of h, as for :class:`MMDPrior`.
        noise_range: (low, high) within [0, 1] of the coefficient :math:`\nu` of a code mixed with noise.
        weight, noise_weight, prior_weight: :math:`\omega_2, \omega_3, \omega_4`; at least 0.
        loss, judge, gamma, critic_weight: see :class:`Critic`; ``judge="code"``, one judgement an element, is the
            paper's.
        generator: draws the coefficients, except those of ``interpolator``, and the samples of a prior that is not a
            sampler of your own.

    Raises:
        TypeError, ValueError: as for :class:`Critic`.
    """

    name = "critic"
    prior = Reference()
    handed_on = frozenset({"noise_range"})
    noise_weight = Weight()
    prior_weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: nn.Module | None = None,
        *,
        interpolator: Interpolator | None = None,
        prior: object = "normal",
        noise_range: tuple[float, float] = (0.0, 0.5),
        weight: WeightLike = 0.5,
        noise_weight: WeightLike = 0.5,
        prior_weight: WeightLike = 0.1,
        critic_weight: WeightLike = 1.0,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "code",
        gamma: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.as_generator(generator)
        interpolator = as_interpolator(interpolator) or Interpolator(kind="multidimensional", generator=generator)
        prior, kind = as_prior(prior), "multidimensional" if interpolator.kind == "multidimensional" else "linear"
        noise = Interpolator(kind=kind, alpha_range=noise_range, pairing="prior", generator=generator)  # type: ignore[arg-type]
        super().__init__(
            encoder, decoder, critic, interpolator=interpolator, loss=loss, judge=judge, gamma=gamma, weight=weight,
            critic_weight=critic_weight,
        )  # fmt: skip
        self.noise_weight, self.prior_weight = noise_weight, prior_weight
        self.prior, self.generator = prior, generator
        of_prior = generator_of(prior, generator)
        self._noise, self._prior = NoiseMix(prior, of_prior, noise), PriorSamples(prior, of_prior)

    @override
    def sources(self) -> tuple[Source, ...]:
        return (
            *super().sources(),
            Source("noise", self._noise, self.noise_weight),
            Source("prior", self._prior, self.prior_weight),
        )


class PriorSamples:
    """Samples of a prior in the place of mixed codes."""

    def __init__(self, prior: Prior, generator: torch.Generator | None) -> None:
        self.prior, self.generator = prior, generator

    def check_batch(self, size: int) -> None:
        """Accept any size."""

    def samples(self, batch: Batch) -> Tensor:
        """A sample for each code, shaped and typed like the codes."""
        z = batch.z
        return batch.prior_samples(self.prior, self.generator).to(z.dtype).reshape(z.shape)

    def mixed(self, batch: Batch) -> Mix:
        """The samples, with the coefficient 1/2."""
        samples = self.samples(batch)
        half = torch.full((1,) * samples.ndim, 0.5, dtype=wide_dtype(samples), device=samples.device)
        return Mix(samples, half, samples, batch.mask)


class NoiseMix(PriorSamples):
    """Mixes codes with samples of a prior."""

    def __init__(self, prior: Prior, generator: torch.Generator | None, interpolator: Interpolator) -> None:
        super().__init__(prior, generator)
        self.interpolator = interpolator

    @override
    def mixed(self, batch: Batch) -> Mix:
        return self.interpolator.sample(batch.z, self.samples(batch), mask=batch.mask, partner_mask=batch.mask)
