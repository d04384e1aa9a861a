"""Multidimensional interpolation and dual regularizations: MI-AE, LR-AE and MIDR-AE (Qian et al. 2020)."""

import torch
from torch import nn
from typing_extensions import Unpack

from interpreg import _checks
from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.kernels import RBF, Kernel
from interpreg.recipes.common import PRESETS, Preset, part, reconstructed
from interpreg.regularizers import Critic, DualCritic, MMDPrior, Sum
from interpreg.regularizers.adversary import Options

WEIGHTS: dict[str, tuple[float, float, float, float]] = {
    # the paper, section 5.4: omega 1 to 4
    "mnist": (1.0, 0.5, 0.5, 0.1),
    "svhn": (1.0, 0.5, 0.5, 0.05),
    "cifar10": (1.0, 0.5, 0.01, 0.01),
    "celeba": (1.0, 0.5, 0.1, 0.05),
    # the published scripts, by the elements of a code; the other two data sets of theirs are as in the paper
    "mnist-32": (1.0, 0.5, 0.05, 1.0),
    "svhn-32": (1.0, 0.5, 0.1, 0.005),
    "cifar10-1024": (1.0, 0.5, 0.01, 0.04),
}


class MIAERegularizer(Sum):
    r"""Autoencoder with multidimensional interpolation (MI-AE; Qian et al. 2020, section 4.1).

    .. math::
        z_\mu &= \mu \odot z + (1 - \mu) \odot z_\mathrm{partner} \quad \text{(eq. 4)} \\
        L_{f,g} &= \overline{(x - \hat x)^2} + \omega_2 \overline{d(g(z_\mu))^2} \\
        L_d &= \overline{d(x)^2} + \overline{(d(g(z_\mu)) - \mu)^2}

    with each element of :math:`\mu` uniform on [0, 0.5] and a critic that judges element by element of the code: its
    output is shaped like the code. Means are over the batch and over elements.

    Losses: ``reconstruction``, ``interpolation``, ``critic/interpolation``, ``critic/real``. Calls of the networks a
    batch: encoder 1, decoder 2, critic 3.

    ``preset="paper"`` is the published code: the critic's real images are :math:`0.2 x + 0.8 \hat x` as in ACAI
    (``gamma=0.2``), where the paper writes x (``gamma=1``).

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as published.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        weight: :math:`\omega_2` (paper: 0.5).
        gamma: weight of the data in what the critic sees as real; when not given, as the preset says.
        preset: None or "paper".
        generator: where the coefficients come from.
        options: see :class:`Adversary`.

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
        weight: float = 0.5,
        gamma: float | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        game = Critic(
            encoder, decoder, critic, interpolator=Interpolator(kind="multidimensional", generator=generator),
            judge="code", gamma=_gamma(gamma, preset), weight=weight, **options,
        )  # fmt: skip
        super().__init__([*parts, game])

    @property
    def critic(self) -> Critic:
        """The game; its ``network`` is what this regularizer trains."""
        return part(self, "critic", Critic)


class LRAERegularizer(Sum):
    r"""Autoencoder with latent regularization (LR-AE; Qian et al. 2020, section 5.1): ACAI and an MMD to a prior.

    .. math:: L_{f,g} = \overline{(x - \hat x)^2} + \omega_2 \overline{d(x_\mathrm{mix})^2}
              + \omega_1 \mathrm{MMD}^2(z, p)

    with one coefficient a sample on [0, 0.5] and the critic's losses of :class:`ACAIRegularizer`.

    Losses: ``reconstruction``, ``interpolation``, ``critic/interpolation``, ``critic/real``, ``mmd``. Calls of the
    networks a batch: encoder 1, decoder 2, critic 3.

    ``preset="paper"`` is the published code's MMD: samples of the prior instead of the closed form, the sum of six
    Gaussian kernels of fixed widths (:meth:`interpreg.kernels.RBF.midrae`; the paper names no kernel), and negative
    estimates replaced by 0, which takes away their gradient. The default is :class:`MMDPrior`'s own: WAE's kernel in
    closed form, unclamped. (The code's default for :math:`\omega_1` is 0.1; every script of it says 1.0, as the paper.)

    Args:
        encoder, decoder: the pair.
        critic, reconstruction, weight, gamma: as for :class:`ACAIRegularizer`.
        mmd_weight: :math:`\omega_1` (paper: 1.0).
        prior: as for :class:`MMDPrior`.
        kernel: when not given, as the preset says.
        preset: None or "paper".
        generator: where coefficients and samples come from.
        options: see :class:`Adversary`.

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
        weight: float = 0.5,
        gamma: float = 0.2,
        mmd_weight: float = 1.0,
        prior: object = "normal",
        kernel: Kernel | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        game = Critic(
            encoder, decoder, critic, interpolator=Interpolator(generator=generator), gamma=gamma, weight=weight,
            **options,
        )  # fmt: skip
        super().__init__([*parts, game, _mmd(encoder, decoder, prior, kernel, mmd_weight, preset, generator)])

    @property
    def critic(self) -> Critic:
        """The game; its ``network`` is what this regularizer trains."""
        return part(self, "critic", Critic)


class MIDRAERegularizer(Sum):
    r"""Multidimensional interpolation and dual regularizations (MIDR-AE; Qian et al. 2020, eqs 9 and 10).

    .. math::
        L_d &= \overline{d(x)^2} + \overline{(d(x_\mu) - \mu)^2} + \overline{(d(x_{\mu h}) - \nu)^2}
        + \overline{(d(x_h) - \tfrac12)^2} \quad \text{(eq. 9)} \\
        L_{f,g} &= \overline{(x - \hat x)^2} + \omega_1 \mathrm{MMD}^2 + \omega_2 \overline{d(x_\mu)^2}
        + \omega_3 \overline{d(x_{\mu h})^2} + \omega_4 \overline{d(x_h)^2} \quad \text{(eq. 10)}

    with :math:`x_\mu` a mix of two codes, :math:`x_{\mu h}` of a code and a draw h of the prior, :math:`x_h` the draw
    itself, decoded (eqs 6 to 8), every coefficient an element's own, and means over the batch and over elements.

    Losses: ``reconstruction``, ``interpolation``, ``noise``, ``prior``, ``critic/interpolation``, ``critic/noise``,
    ``critic/prior``, ``critic/real``, ``mmd``. Calls of the networks a batch: encoder 1, decoder 1, critic 2; with
    batch statistics, whose batches must not be joined, decoder 4, critic 7.

    ``preset="paper"`` is the published code, which differs from the paper in this:

    - the critic's real images are :math:`0.2 x + 0.8 \hat x` (``gamma=0.2``), not x;
    - the coefficient of a code mixed with noise is uniform on [0, 1], not on [0, 0.5]. So the critic is taught 1 for
      a pure reconstruction there and 0 near reconstructions elsewhere: the published targets contradict each other;
    - the MMD is that of :class:`LRAERegularizer`'s preset, and uses the same draw h.

    Args:
        encoder, decoder: the pair.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as published.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        weights: :math:`(\omega_1, \omega_2, \omega_3, \omega_4)`, or the name of the paper's data set: "mnist", "svhn",
            "cifar10", "celeba"; or, where the published scripts have other weights than the paper, with the number of
            elements of a code: "mnist-32", "svhn-32", "cifar10-1024".
        gamma, noise_range: of the critic's real images and of :math:`\nu`; when not given, as the preset says.
        prior, kernel: as for :class:`LRAERegularizer`.
        preset: None or "paper".
        generator: where coefficients and samples come from.
        options: see :class:`Adversary`.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a batch of one.

    >>> reg = MIDRAERegularizer(nn.Linear(8, 2), nn.Linear(2, 8), weights="svhn")
    >>> reg.critic.noise_weight, reg.critic.prior_weight
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
        weights: str | tuple[float, float, float, float] = "mnist",
        gamma: float | None = None,
        noise_range: tuple[float, float] | None = None,
        prior: object = "normal",
        kernel: Kernel | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        of_mmd, of_mix, of_noise, of_prior = _weights(weights)
        parts = reconstructed(encoder, decoder, reconstruction)
        mmd = _mmd(encoder, decoder, prior, kernel, of_mmd, preset, generator)
        game = DualCritic(
            encoder, decoder, critic, prior=mmd.prior, gamma=_gamma(gamma, preset), weight=of_mix,
            noise_weight=of_noise, prior_weight=of_prior, generator=generator,
            noise_range=noise_range or ((0.0, 1.0) if preset == "paper" else (0.0, 0.5)), **options,
        )  # fmt: skip
        super().__init__([*parts, game, mmd])

    @property
    def critic(self) -> DualCritic:
        """The game; its ``network`` is what this regularizer trains."""
        return part(self, "critic", DualCritic)


def _gamma(gamma: float | None, preset: Preset) -> float:
    _checks.check_one_of("preset", preset, PRESETS)
    return gamma if gamma is not None else 0.2 if preset == "paper" else 1.0


def _mmd(
    encoder: Network,
    decoder: Network,
    prior: object,
    kernel: Kernel | None,
    weight: float,
    preset: Preset,
    generator: torch.Generator | None,
) -> MMDPrior:
    _checks.check_one_of("preset", preset, PRESETS)
    if preset is None:
        return MMDPrior(encoder, decoder, prior=prior, kernel=kernel, weight=weight, generator=generator)
    kernel = kernel or RBF.midrae()
    return MMDPrior(
        encoder,
        decoder,
        prior=prior,
        kernel=kernel,
        closed_form=False,
        clamp=True,
        weight=weight,
        generator=generator,
    )


def _weights(weights: object) -> tuple[float, float, float, float]:
    if isinstance(weights, str):
        _checks.check_one_of("weights", weights, WEIGHTS)
        return WEIGHTS[weights]
    if not isinstance(weights, (tuple, list)) or len(weights) != 4:
        raise TypeError(
            f"weights: expected a name or four numbers (omega 1 to 4), got {_checks.describe(weights)}"
        )
    first, second, third, fourth = (_checks.as_number(f"weights[{i}]", w) for i, w in enumerate(weights))
    return first, second, third, fourth
