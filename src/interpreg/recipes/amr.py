"""Adversarial mixup resynthesis."""

from typing import Literal

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.recipes.common import PRESETS, Preset, part, reconstructed
from interpreg.regularizers import Critic, CycleConsistency, Regularizer, Sum

KINDS = ("mixup", "bernoulli")


class AMRRegularizer(Sum):
    r"""Adversarial mixup resynthesis (AMR; Beckham et al. 2019, arXiv 1903.02709).

    .. math::
        L_{f,g} &= \kappa \, \overline{|x - \hat x|} + \rho \, \overline{-\ln D(\hat x)}
        + \lambda \, \overline{-\ln D(x_\mathrm{mix})}
        + \beta \, \overline{(z_\mathrm{mix} - f(x_\mathrm{mix}))^2} \\
        L_d &= \overline{-\ln D(x)} + \overline{-\ln (1 - D(\hat x))} + \overline{-\ln (1 - D(x_\mathrm{mix}))}

    with D the logistic function of the critic's mean output, spectrally normalised. ``kind="mixup"`` mixes codes with
    one coefficient a sample from U(0, 1), or, for more than two ``ways``, with weights from the flat Dirichlet
    distribution; ``kind="bernoulli"`` takes each channel whole from one of the codes, for two ways from the own code
    with a probability from U(0, 1). Partners are permutations of the batch.

    Losses: ``reconstruction``, ``interpolation``, ``reconstructed`` (the autoencoder's), ``critic/interpolation``,
    ``critic/real``, ``critic/reconstructed`` (the critic's), and with ``consistency`` ``cycle``. A sum of
    :class:`Reconstruction`, :class:`Critic` and :class:`CycleConsistency`. Calls of the networks a batch: encoder 1,
    decoder 2, critic 5; one more of the encoder with ``consistency``.

    ``preset="paper"`` is the published scripts: the autoencoder, its reconstruction loss included, has gradients at one
    of five steps (``autoencoder_every=5``), and "bernoulli" draws one probability for the whole batch. (kappa varies by
    script: 10 or 20 for MNIST and SVHN, 50 for CIFAR-10; none of them has a consistency term, whose loss would be the
    images', L1.) What still differs: their permutations leave some samples to themselves, ours none; and their
    networks.

    Args:
        encoder, decoder: the pair; any modules or callables.
        kind: "mixup" or "bernoulli".
        ways: how many codes are mixed, at least 2.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder.
        reconstruction: "l1", "mse", "bernoulli", a callable, or None where the loop has its own.
        reconstruction_weight: kappa; at least 0.
        weight: lambda, of mixes; at least 0.
        reconstructions: rho, of reconstructions; at least 0.
        consistency: beta; at least 0, and 0 is no such term.
        autoencoder_every: at every how manieth step the autoencoder has gradients, see :class:`Sum`; at least 1. When
            not given, as the preset says: 1, or 5.
        judge: see :class:`Critic`.
        spectral_norm, critic_start, adversarial_start, adversarial_ramp, adaptive: see :class:`Adversary`.
        preset: None or "paper".
        generator: where coefficients and partners come from; torch's default generator when not given.

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
        reconstruction_weight: float = 10.0,
        weight: float = 1.0,
        reconstructions: float = 1.0,
        consistency: float = 0.0,
        autoencoder_every: int | None = None,
        judge: Literal["mean", "code", "logit"] = "mean",
        spectral_norm: bool = True,
        critic_start: int = 0,
        adversarial_start: int = 0,
        adversarial_ramp: int = 0,
        adaptive: bool | Tensor = False,
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.check_one_of("preset", preset, PRESETS)
        interpolator = _interpolator(kind, ways, preset == "paper", generator)
        parts: list[Regularizer] = reconstructed(encoder, decoder, reconstruction, reconstruction_weight)
        parts.append(
            Critic(
                encoder, decoder, critic, interpolator=interpolator, loss="bce", judge=judge, gamma=1.0,
                reconstructions=reconstructions, weight=weight, critic_start=critic_start,
                adversarial_start=adversarial_start, adversarial_ramp=adversarial_ramp, spectral_norm=spectral_norm,
                adaptive=adaptive,
            )
        )  # fmt: skip
        if _checks.as_number("consistency", consistency) > 0:
            parts.append(CycleConsistency(encoder, decoder, interpolator=interpolator, weight=consistency))
        every = autoencoder_every if autoencoder_every is not None else 5 if preset == "paper" else 1
        super().__init__(parts, autoencoder_every=every)

    @property
    def critic(self) -> Critic:
        """The game; its ``network`` is what this regularizer trains."""
        return part(self, "critic", Critic)


def _interpolator(kind: str, ways: int, published: bool, generator: torch.Generator | None) -> Interpolator:
    _checks.check_one_of("kind", kind, KINDS)
    if _checks.as_count("ways", ways, low=2) > 2:
        return Interpolator(kind="convex" if kind == "mixup" else "bernoulli", ways=ways, generator=generator)
    return Interpolator(
        kind="linear" if kind == "mixup" else "bernoulli", alpha_range=(0.0, 1.0), pairing="permutation",
        shared=published and kind == "bernoulli", generator=generator,
    )  # fmt: skip
