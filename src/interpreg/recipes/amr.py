"""Adversarial mixup resynthesis."""

from typing import Literal

import torch
from torch import nn

from interpreg import _checks
from interpreg._types import Network, Preset
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.needs import CodeMixer
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import Critic, CycleConsistency, fresh_copy, spectral_norm
from interpreg.regularizers.mixers import as_mixer
from interpreg.regularizers.weights import WeightLike

KINDS = ("mixup", "bernoulli")


class AMRRegularizer(Game):
    r"""Adversarial mixup resynthesis (AMR; Beckham et al. 2019, arXiv 1903.02709).

    .. math::
        L_{f,g} &= \kappa \, \overline{|x - \hat x|} + \rho \, \overline{-\ln D(\hat x)}
        + \lambda \, \overline{-\ln D(x_\mathrm{mix})}
        + \beta \, \overline{(z_\mathrm{mix} - f(x_\mathrm{mix}))^2} \\
        L_d &= \overline{-\ln D(x)} + \overline{-\ln (1 - D(\hat x))} + \overline{-\ln (1 - D(x_\mathrm{mix}))}

    with D the logistic function of the mean output of a spectrally normalised critic. ``kind="mixup"`` mixes codes with
    one coefficient a sample from U(0, 1), or, for more than two ``ways``, with weights from the flat Dirichlet
    distribution. ``kind="bernoulli"`` takes each channel whole from one of the codes; for two ways from the own code
    with a probability from U(0, 1). Partners are permutations of the batch.

    Losses: ``reconstruction``, ``interpolation``, ``reconstructed`` (the autoencoder's), ``critic/interpolation``,
    ``critic/real``, ``critic/reconstructed`` (the critic's), and with ``cycle_weight`` ``cycle``. A sum of
    :class:`Reconstruction`, :class:`Critic` and :class:`CycleConsistency`. Calls of the networks a batch: encoder 1,
    decoder 2, critic 5; one more of the encoder with ``cycle_weight``.

    ``preset="published"`` is as in the published scripts: the autoencoder, its reconstruction loss included, has
    gradients at one of five steps (``autoencoder_every=5``), and "bernoulli" draws one probability for the whole batch.
    (kappa varies by script: 10 or 20 for MNIST and SVHN, 50 for CIFAR-10; none of them has a consistency term, whose
    loss would be the images', L1.) Two differences remain: their permutations have fixed points, ours have none; and
    their networks.

    Args:
        encoder, decoder: the pair; any modules or callables.
        kind: "mixup" or "bernoulli".
        ways: how many codes are mixed, at least 2.
        critic: the critic network, used as it is; when not given, :func:`interpreg.fresh_copy` of the encoder under
            :func:`interpreg.spectral_norm`.
        reconstruction: "l1", "mse", "bernoulli", a callable, or None where the loop has its own.
        reconstruction_weight: kappa, at least 0; 10 when not given.
        weight: lambda, of ``interpolation``; see :class:`Adversary`.
        reconstructed_weight: rho, of ``reconstructed``.
        cycle_weight: beta, of ``cycle``; the number 0 is no such term.
        critic_weight: of the critic's terms.
        interpolator: how codes are mixed, instead of ``kind`` and ``ways``.
        autoencoder_every: the autoencoder has gradients at one of so many steps, see :class:`Sum`; at least 1. When
            not given, as the preset: 1, or 5.
        judge: see :class:`Critic`.
        preset: None or "published".
        generator: draws coefficients and partners; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a batch of fewer samples than ``ways``.

    >>> reg = AMRRegularizer(nn.Linear(8, 2), nn.Linear(2, 8), reconstruction=None)
    >>> list(reg(torch.randn(4, 8)))
    ['interpolation', 'critic/interpolation', 'critic/real', 'reconstructed', 'critic/reconstructed']
    """

    name = "amr"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        kind: Literal["mixup", "bernoulli"] = "mixup",
        ways: int = 2,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = "l1",
        reconstruction_weight: WeightLike | None = None,
        weight: WeightLike = 1.0,
        reconstructed_weight: WeightLike = 1.0,
        cycle_weight: WeightLike = 0.0,
        critic_weight: WeightLike = 1.0,
        interpolator: CodeMixer | None = None,
        autoencoder_every: int | None = None,
        judge: Literal["mean", "code", "logit"] = "mean",
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        published = _checks.is_published(preset)
        if interpolator is not None and (kind, ways) != ("mixup", 2):
            raise ValueError(f"kind, ways: expected none beside an interpolator, got {kind!r} and {ways!r}")
        interpolator = as_mixer(interpolator, generator) or _interpolator(kind, ways, published, generator)
        _checks.check_network("encoder", encoder)
        critic = spectral_norm(fresh_copy(encoder)) if critic is None else critic
        if reconstruction is None:
            _checks.check_unused("reconstruction_weight", reconstruction_weight, "reconstruction=None")
        kappa = 10.0 if reconstruction_weight is None else reconstruction_weight
        parts = reconstructed(encoder, decoder, reconstruction, kappa)
        parts.append(
            Critic(
                encoder, decoder, critic, interpolator=interpolator, loss="bce", judge=judge, gamma=1.0,
                reconstructed_weight=reconstructed_weight, weight=weight, critic_weight=critic_weight,
            )
        )  # fmt: skip
        if isinstance(cycle_weight, bool) or cycle_weight != 0:
            parts.append(CycleConsistency(encoder, decoder, interpolator=interpolator, weight=cycle_weight))
        every = autoencoder_every if autoencoder_every is not None else 5 if published else 1
        super().__init__(parts, autoencoder_every=every)


def _interpolator(kind: str, ways: int, published: bool, generator: torch.Generator | None) -> Interpolator:
    _checks.check_one_of("kind", kind, KINDS)
    if _checks.as_count("ways", ways, low=2) > 2:
        return Interpolator(kind="convex" if kind == "mixup" else "bernoulli", ways=ways, generator=generator)
    return Interpolator(
        kind="linear" if kind == "mixup" else "bernoulli", alpha_range=(0.0, 1.0), pairing="permutation",
        shared=published and kind == "bernoulli", generator=generator,
    )  # fmt: skip
