"""Multidimensional interpolation and dual regularizations: MI-AE, LR-AE and MIDR-AE (Qian et al. 2020)."""

import torch
from torch import nn

from interpreg import _checks
from interpreg._types import Network, Preset
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.kernels import RBF, Kernel, as_kernel
from interpreg.mmd.closed_form import use_closed_form
from interpreg.needs import CodeMixer
from interpreg.priors import as_prior, generator_of
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import Critic, DualCritic, MMDPrior
from interpreg.regularizers.mixers import as_interpolator, as_mixer
from interpreg.regularizers.weights import WeightLike

Weights = dict[str, float]


def _weights(mmd: float, interpolation: float, noise: float, prior: float) -> Weights:
    return {"mmd_weight": mmd, "weight": interpolation, "noise_weight": noise, "prior_weight": prior}


MIDRAE_WEIGHTS: dict[str, Weights] = {
    # the paper, section 5.4: omega 1 to 4
    "mnist": _weights(1.0, 0.5, 0.5, 0.1),
    "svhn": _weights(1.0, 0.5, 0.5, 0.05),
    "cifar10": _weights(1.0, 0.5, 0.01, 0.01),
    "celeba": _weights(1.0, 0.5, 0.1, 0.05),
    # the published scripts, with the number of elements of a code; their other weights are the paper's
    "mnist-32": _weights(1.0, 0.5, 0.05, 1.0),
    "svhn-32": _weights(1.0, 0.5, 0.1, 0.005),
    "cifar10-1024": _weights(1.0, 0.5, 0.01, 0.04),
}
"""The weights of each data set, as keyword arguments of :class:`MIDRAERegularizer`."""


class MIAERegularizer(Game):
    r"""Autoencoder with multidimensional interpolation (MI-AE; Qian et al. 2020, section 4.1).

    .. math::
        z_\mu &= \mu \odot z + (1 - \mu) \odot z_\mathrm{partner} \quad \text{(eq. 4)} \\
        L_{f,g} &= \overline{(x - \hat x)^2} + \omega_2 \overline{d(g(z_\mu))^2} \\
        L_d &= \overline{d(x)^2} + \overline{(d(g(z_\mu)) - \mu)^2}

    with each element of :math:`\mu` uniform on [0, 0.5] and a critic with one judgement for each element of the code:
    its output is shaped like the code. Means are over the batch and over elements.

    Losses: ``reconstruction``, ``interpolation``, ``critic/interpolation``, ``critic/real``. Calls of the networks a
    batch: encoder 1, decoder 2, critic 3.

    ``preset="published"`` is the published code: the critic's real images are :math:`0.2 x + 0.8 \hat x` as in ACAI
    (``gamma=0.2``), where the paper writes x (``gamma=1``).

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as published.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        weight, critic_weight: :math:`\omega_2` (paper: 0.5) and the critic's; see :class:`Adversary`.
        gamma: weight of the data in the critic's real images; the preset's when not given.
        interpolator: how codes are mixed; when not given, the paper's way.
        preset: None or "published".
        generator: draws the coefficients.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.

    >>> reg = MIAERegularizer(nn.Linear(8, 2), nn.Linear(2, 8))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'interpolation', 'critic/interpolation', 'critic/real']
    """

    name = "miae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        weight: WeightLike = 0.5,
        critic_weight: WeightLike = 1.0,
        gamma: float | None = None,
        interpolator: Interpolator | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if gamma is not None:
            _checks.check_unused("preset", preset, "gamma=, the only thing that it sets")
        parts = reconstructed(encoder, decoder, reconstruction)
        interpolator = as_interpolator(interpolator, generator, "multidimensional")
        game = Critic(
            encoder, decoder, critic, judge="code", gamma=_gamma(gamma, preset), weight=weight,
            critic_weight=critic_weight,
            interpolator=interpolator or Interpolator(kind="multidimensional", generator=generator),
        )  # fmt: skip
        super().__init__([*parts, game])


class LRAERegularizer(Game):
    r"""Autoencoder with latent regularization (LR-AE; Qian et al. 2020, section 5.1): ACAI and an MMD to a prior.

    .. math:: L_{f,g} = \overline{(x - \hat x)^2} + \omega_2 \overline{d(x_\mathrm{mix})^2}
              + \omega_1 \mathrm{MMD}^2(z, p)

    with one coefficient a sample on [0, 0.5] and the critic's losses of :class:`ACAIRegularizer`.

    Losses: ``reconstruction``, ``interpolation``, ``critic/interpolation``, ``critic/real``, ``mmd``. Calls of the
    networks a batch: encoder 1, decoder 2, critic 3.

    ``preset="published"`` is the published code's MMD: samples of the prior instead of the closed form, the sum of six
    Gaussian kernels of fixed widths (:meth:`interpreg.kernels.RBF.midrae`; the paper names no kernel), and negative
    estimates replaced by 0, which removes their gradient. The default is :class:`MMDPrior`'s own: WAE's kernel in
    closed form, unclamped. (The code's default for :math:`\omega_1` is 0.1; every script sets 1.0, as the paper.)

    Args:
        encoder, decoder: the pair.
        critic, reconstruction, weight, critic_weight, gamma: as for :class:`ACAIRegularizer`.
        mmd_weight: :math:`\omega_1` (paper: 1.0).
        prior, kernel: as for :class:`MMDPrior`; the preset's kernel when not given.
        interpolator: how codes are mixed; when not given, the paper's way.
        preset: None or "published".
        generator: draws coefficients and samples.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a batch of one.

    >>> reg = LRAERegularizer(nn.Linear(8, 2), nn.Linear(2, 8))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'interpolation', 'critic/interpolation', 'critic/real', 'mmd']
    """

    name = "lrae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        weight: WeightLike = 0.5,
        critic_weight: WeightLike = 1.0,
        gamma: float = 0.2,
        mmd_weight: WeightLike = 1.0,
        prior: object = "normal",
        kernel: Kernel | None = None,
        interpolator: CodeMixer | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        mmd = _mmd(encoder, decoder, prior, kernel, mmd_weight, preset, generator)
        if interpolator is not None and mmd.generator is None:
            _checks.check_unused("generator", generator, "an interpolator and an MMD without samples of its own")
        game = Critic(
            encoder, decoder, critic, gamma=gamma, weight=weight, critic_weight=critic_weight,
            interpolator=as_mixer(interpolator) or Interpolator(generator=generator),
        )  # fmt: skip
        super().__init__([*parts, game, mmd])


class MIDRAERegularizer(Game):
    r"""Multidimensional interpolation and dual regularizations (MIDR-AE; Qian et al. 2020, eqs 9 and 10).

    .. math::
        L_d &= \overline{d(x)^2} + \overline{(d(x_\mu) - \mu)^2} + \overline{(d(x_{\mu h}) - \nu)^2}
        + \overline{(d(x_h) - \tfrac12)^2} \quad \text{(eq. 9)} \\
        L_{f,g} &= \overline{(x - \hat x)^2} + \omega_1 \mathrm{MMD}^2 + \omega_2 \overline{d(x_\mu)^2}
        + \omega_3 \overline{d(x_{\mu h})^2} + \omega_4 \overline{d(x_h)^2} \quad \text{(eq. 10)}

    with :math:`x_\mu` a mix of two codes, :math:`x_{\mu h}` of a code and a draw h of the prior, :math:`x_h` the draw
    itself, decoded (eqs 6 to 8), every coefficient an element's own, and means over the batch and over elements.

    Losses: ``reconstruction``, ``interpolation``, ``noise``, ``prior``, ``critic/interpolation``, ``critic/noise``,
    ``critic/prior``, ``critic/real``, ``mmd``. Calls of the networks a batch: encoder 1, decoder 4, critic 7.

    ``preset="published"`` is the published code, which differs from the paper in this:

    - the critic's real images are :math:`0.2 x + 0.8 \hat x` (``gamma=0.2``), not x;
    - the coefficient of a code mixed with noise is uniform on [0, 1], not on [0, 0.5]. Its target for a pure
      reconstruction is then 1, where the other targets near reconstructions are 0: the published targets contradict;
    - the MMD is that of :class:`LRAERegularizer`'s preset, and uses the same draw h.

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as published.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        weight, noise_weight, prior_weight, mmd_weight: :math:`\omega_2, \omega_3, \omega_4, \omega_1`; the defaults are
            the paper's for MNIST, and ``**MIDRAE_WEIGHTS["svhn"]`` those of another data set: "mnist", "svhn",
            "cifar10", "celeba"; and "mnist-32", "svhn-32", "cifar10-1024" those of the published scripts that differ,
            named with the number of elements of a code. The paper names no kernel. With the default one the MMD of
            codes away from the prior is 1.2 to 1.8 times that with the published kernel at 32 and 64 elements, and 2.7
            to 21 times at 2, where ``mmd_weight=1.0`` is as much stronger.
        critic_weight: of the critic's terms; see :class:`Adversary`.
        gamma, noise_range: of the critic's real images and of :math:`\nu`; the preset's when not given.
        prior, kernel: as for :class:`LRAERegularizer`.
        interpolator: how codes are mixed; when not given, the paper's way.
        preset: None or "published".
        generator: draws coefficients and samples.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a batch of one.

    >>> reg = MIDRAERegularizer(nn.Linear(8, 2), nn.Linear(2, 8), **MIDRAE_WEIGHTS["svhn"])
    >>> reg.game.noise_weight, reg.game.prior_weight
    (0.5, 0.05)
    """

    name = "midrae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        weight: WeightLike = 0.5,
        noise_weight: WeightLike = 0.5,
        prior_weight: WeightLike = 0.1,
        mmd_weight: WeightLike = 1.0,
        critic_weight: WeightLike = 1.0,
        gamma: float | None = None,
        noise_range: tuple[float, float] | None = None,
        prior: object = "normal",
        kernel: Kernel | None = None,
        interpolator: Interpolator | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        mmd = _mmd(encoder, decoder, prior, kernel, mmd_weight, preset, generator)
        game = DualCritic(
            encoder, decoder, critic, interpolator=as_interpolator(interpolator, kind="multidimensional"),
            prior=mmd.prior, gamma=_gamma(gamma, preset), weight=weight, noise_weight=noise_weight,
            prior_weight=prior_weight, critic_weight=critic_weight, generator=generator,
            noise_range=noise_range or ((0.0, 1.0) if _checks.is_published(preset) else (0.0, 0.5)),
        )  # fmt: skip
        super().__init__([*parts, game, mmd])


def _gamma(gamma: float | None, preset: Preset) -> float:
    published = _checks.is_published(preset)
    return gamma if gamma is not None else 0.2 if published else 1.0


def _mmd(
    encoder: Network, decoder: Network, prior: object, kernel: Kernel | None, weight: WeightLike, preset: Preset,
    generator: torch.Generator | None,
) -> MMDPrior:  # fmt: skip
    published = _checks.is_published(preset)
    kernel = as_kernel(kernel or (RBF.midrae() if published else None))
    prior, closed_form = as_prior(prior), False if published else "auto"
    draws = not use_closed_form(closed_form, prior, kernel, "unbiased")
    return MMDPrior(
        encoder, decoder, prior=prior, kernel=kernel, weight=weight, closed_form=closed_form, clamp=published,
        generator=generator_of(prior, generator) if draws else None,
    )  # fmt: skip
