"""The game of MIDR-AE: a critic that looks for interpolants, for mixes with noise and for decoded noise."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import Unpack, override

from interpreg._numerics import wide_dtype
from interpreg._types import Mix, Network, Term
from interpreg.batch import Batch, Source
from interpreg.draws import Kind
from interpreg.functional.game import GAMES
from interpreg.interpolator import Interpolator
from interpreg.priors import as_prior
from interpreg.regularizers.adversary import Options
from interpreg.regularizers.critic import Critic
from interpreg.regularizers.weights import Weight

KINDS = ("interpolation", "noise", "prior")


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

    The codes of all three kinds, and the reconstructions where a term asks for them, are decoded in one call, unless
    the decoder has batch statistics (or is no module, so that nobody knows); the critic judges likewise. Calls of the
    networks a batch: encoder 1, decoder 1 (or 4), critic 2 (or 7).

    Args:
        encoder, decoder: the pair.
        network: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder.
        interpolator: what mixes codes with each other; when not given, coefficients of each element's own.
        prior: what h is drawn from, as for :class:`MMDPrior`.
        noise_range: (low, high) within [0, 1] of the coefficient :math:`\nu` of a code mixed with noise.
        weight, noise_weight, prior_weight: :math:`\omega_2, \omega_3, \omega_4`; at least 0.
        loss, judge, gamma, options: see :class:`Critic`; ``judge="code"``, one judgement an element, is the paper's.
        generator: of the prior's samples and the coefficients of mixes with noise.

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
        network: nn.Module | None = None,
        *,
        interpolator: Interpolator | None = None,
        prior: object = "normal",
        noise_range: tuple[float, float] = (0.0, 0.5),
        weight: float = 0.5,
        noise_weight: float = 0.5,
        prior_weight: float = 0.1,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "code",
        gamma: float = 1.0,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        interpolator = interpolator or Interpolator(kind="multidimensional", generator=generator)
        super().__init__(
            encoder, decoder, network, interpolator=interpolator, loss=loss, judge=judge, gamma=gamma, weight=weight,
            **options,
        )  # fmt: skip
        self.noise_weight, self.prior_weight = noise_weight, prior_weight
        self.prior, self.generator = as_prior(prior), generator
        kind: Kind = "multidimensional" if interpolator.kind == "multidimensional" else "linear"
        self.noise = Interpolator(kind=kind, alpha_range=noise_range, pairing="prior", generator=generator)

    @override
    def announce(self, batch: Batch) -> None:
        for source in self._sources(batch):
            batch.expect(source, together=True)

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        game = GAMES[self.loss]
        made = [batch.interpolants(source) for source in self._sources(batch)]
        images, masks = [each.x_mix for each in made], [each.mask for each in made]
        fooled = self.frozen_each(images, masks)
        judged = self.judged_each([*images, self.real(batch)], [*masks, batch.mask])
        weights = (self.weight, self.noise_weight, self.prior_weight)
        terms = {}
        for name, each, said, weight in zip(KINDS, made, fooled, weights, strict=True):
            value = game.fool(self.read(said, each.z_mix, each.mask), each.mask)
            terms[name] = Term(value, self.autoencoders(weight))
        for name, each, said in zip(KINDS, made, judged[:3], strict=True):
            value = game.on_mix(self.read(said, each.z_mix, each.mask), self.target(each), each.mask)
            terms[f"critic/{name}"] = Term(value, self.critics())
        on_real = self.read(judged[3], batch.z, batch.mask)
        return terms | {"critic/real": Term(game.on_real(on_real, batch.mask), self.critics())}

    def _sources(self, batch: Batch) -> tuple[Source, Source, Source]:
        assert self.interpolator is not None
        noisy, decoded = batch.once(self, lambda: (_Noisy(self, batch), _Noise(self, batch)))
        return self.interpolator, noisy, decoded

    def draw(self, batch: Batch) -> Tensor:
        """One sample of the prior for each code, shaped like the codes."""
        return batch.prior_samples(self.prior, self.generator).to(batch.z.dtype).reshape(batch.z.shape)


class _Noisy:
    """Codes mixed with noise."""

    def __init__(self, game: DualCritic, batch: Batch) -> None:
        self.game, self.batch = game, batch

    def sample_masked(self, z: Tensor, mask: Tensor | None) -> tuple[Mix, Tensor | None]:
        mixed, _ = self.game.noise.sample_masked(z, None, z_partner=self.game.draw(self.batch))
        return mixed, mask


class _Noise(_Noisy):
    """Noise alone: as far from the data as a mix can be, with the largest coefficient that there is."""

    @override
    def sample_masked(self, z: Tensor, mask: Tensor | None) -> tuple[Mix, Tensor | None]:
        noise = self.game.draw(self.batch)
        half = torch.full((1,) * z.ndim, 0.5, dtype=wide_dtype(z), device=z.device)
        return Mix(noise, half, noise), mask


__all__ = ["DualCritic"]
