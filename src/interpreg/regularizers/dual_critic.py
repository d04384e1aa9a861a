"""The game of MIDR-AE: a critic that looks for interpolants, for mixes with noise and for decoded noise."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg._numerics import wide_dtype
from interpreg._types import Mix, Network
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.priors import Prior, as_prior
from interpreg.regularizers.base import as_interpolator
from interpreg.regularizers.critic import Critic, Source
from interpreg.regularizers.weights import Weight, WeightLike


class DualCritic(Critic):
    r"""A :class:`Critic` that judges three kinds of generated images (MIDR-AE, eqs 6 to 10).

    .. math::
        x_\mu &= g(\mu \odot z + (1 - \mu) \odot z_\mathrm{partner}), \quad
        x_{\mu h} = g(\nu \odot z + (1 - \nu) \odot h), \quad x_h = g(h), \quad h \sim p \\
        L_{f,g} &= \omega_2 \overline{d(x_\mu)^2} + \omega_3 \overline{d(x_{\mu h})^2}
        + \omega_4 \overline{d(x_h)^2} \\
        L_d &= \overline{d(x)^2} + \overline{(d(x_\mu) - \mu)^2} + \overline{(d(x_{\mu h}) - \nu)^2}
        + \overline{(d(x_h) - \tfrac12)^2}

    Terms ``interpolation``, ``noise`` and ``prior``, and the critic's ``critic/interpolation``, ``critic/noise``,
    ``critic/prior`` and ``critic/real``. One draw h of the prior serves both kinds, and an :class:`MMDPrior` in the
    same sum that samples the same prior. With ``loss="bce"`` or ``"hinge"`` coefficients play no part.

    Calls of the networks a batch: encoder 1, decoder 4 (3 where reconstructions are not asked for), critic 7.

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder.
        interpolator: what mixes codes with each other; when not given, a coefficient for each element.
        prior: what h is drawn from, as for :class:`MMDPrior`.
        noise_range: (low, high) within [0, 1] of the coefficient :math:`\nu` of a code mixed with noise.
        weight, noise_weight, prior_weight: :math:`\omega_2, \omega_3, \omega_4`; at least 0.
        loss, judge, gamma, critic_weight: see :class:`Critic`; ``judge="code"``, one judgement an element, is the
            paper's.
        generator: draws the prior's samples and the coefficients, those of an interpolator of your own excepted.

    Raises:
        TypeError, ValueError: as for :class:`Critic`.
    """

    name = "critic"
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
        interpolator = as_interpolator(interpolator) or Interpolator(kind="multidimensional", generator=generator)
        prior, kind = as_prior(prior), "multidimensional" if interpolator.kind == "multidimensional" else "linear"
        noise = Interpolator(kind=kind, alpha_range=noise_range, pairing="prior", generator=generator)  # type: ignore[arg-type]
        super().__init__(
            encoder, decoder, critic, interpolator=interpolator, loss=loss, judge=judge, gamma=gamma, weight=weight,
            critic_weight=critic_weight,
        )  # fmt: skip
        self.noise_weight, self.prior_weight = noise_weight, prior_weight
        self.prior, self.generator = prior, generator
        self._noise, self._prior = NoiseMix(prior, noise), PriorSamples(prior, generator)

    @override
    def sources(self) -> tuple[Source, ...]:
        return (
            *super().sources(),
            Source("noise", self._noise, self.noise_weight),
            Source("prior", self._prior, self.prior_weight),
        )


class NoiseMix:
    """Mixes codes with samples of a prior."""

    def __init__(self, prior: Prior, interpolator: Interpolator) -> None:
        self.prior, self.interpolator = prior, interpolator

    def mixed(self, batch: Batch) -> Mix:
        """Codes mixed with a sample each."""
        samples = _shaped(batch, self.prior, self.interpolator.generator)
        return self.interpolator.sample(batch.z, samples)._replace(mask=batch.mask)

    def check_batch(self, size: int) -> None:
        """Any size will do."""


class PriorSamples:
    """Samples of a prior in the place of codes, with the largest coefficient that there is."""

    def __init__(self, prior: Prior, generator: torch.Generator | None) -> None:
        self.prior, self.generator = prior, generator

    def mixed(self, batch: Batch) -> Mix:
        """A sample for each code, and the coefficient 1/2."""
        samples = _shaped(batch, self.prior, self.generator)
        half = torch.full((1,) * samples.ndim, 0.5, dtype=wide_dtype(samples), device=samples.device)
        return Mix(samples, half, samples, batch.mask)

    def check_batch(self, size: int) -> None:
        """Any size will do."""


def _shaped(batch: Batch, prior: Prior, generator: torch.Generator | None) -> Tensor:
    """The batch's samples of a prior, shaped and typed like its codes."""
    z = batch.z
    return batch.prior_samples(prior, generator).to(z.dtype).reshape(z.shape)
