"""Generative adversarial interpolative autoencoding."""

import torch
from torch import nn

from interpreg import _checks
from interpreg._types import Network, Preset
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.needs import CodeMixer
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import AutoencodingCritic
from interpreg.regularizers.weights import WeightLike


class GAIARegularizer(Game):
    r"""Generative adversarial interpolative autoencoding (Sainburg, Thielk, Theilman, Migliori, Gentner 2018).

    The critic d is an autoencoder that copies the data and fails to copy interpolants :math:`x_i`; the autoencoder is
    trained so that the critic copies reconstructions and interpolants well. With means over the batch and over
    elements, its errors are

    .. math::
        R_x = \overline{|x - d(x)|}, \quad R_g = \overline{|x - d(g(f(x)))|}, \quad R_i = \overline{|x_i - d(x_i)|}

    The default is the author's own rewrite, which has no hyperparameters to balance: with squares instead of absolute
    values,

    .. math::
        L_{f,g} = R_g + R_i, \qquad L_d = R_x + R_g - \min(R_i, R_x)

    and interpolants of convex combinations of the whole batch, with weights of :math:`\chi^2_{1/B}` draws over their
    sum. (All losses grow alike with the range of the pixels.) The author trains with Adam of ``betas=(0.5, 0.999)`` and
    the critic with RMSprop. With Adam's default of 0.9 the game oscillates and reconstructions suffer; where they
    matter, add ``reconstruction="mse"`` too.

    ``preset="published"`` is the code of the paper, with errors of pixels in [0, 1]:

    .. math::
        L_{f,g} &= \mathrm{clip}(p_g R_i + (1 - p_g) R_g + w L_\mathrm{dist}, -1, 1),
        \quad p_g = \sigma(20 (R_i - R_g)) \\
        L_d &= \mathrm{clip}(R_x - p_f \tfrac{R_g + R_i}{2}, -1, 1),
        \quad p_f = \mathrm{clip}(\sigma(20 (\tfrac12 R_i - R_x)), 0, 0.9)

    and pairs of codes mixed with coefficients from :math:`\mathcal N(0.5, 0.25^2)`, which may go beyond the ends. The
    loop multiplies the players' learning rates by the shares in ``reg.game.balance``, because weights cancel in Adam.
    Three differences from the published runs remain: the networks (the default critic is like the autoencoder; theirs
    was half as wide with a spatial code), L_dist of the whole code (theirs of its content half), and the learning rates
    unless the loop sets them.

    Losses by default: ``reconstructed``, ``interpolation``, ``critic/real``, ``critic/reconstructed``,
    ``critic/interpolation``; with the preset: ``adversarial``, ``critic/adversarial``. Calls of the networks a batch:
    encoder 1, decoder 2, critic 5.

    Args:
        encoder, decoder: the pair; any modules or callables.
        critic: the critic network, images to images; when not given, fresh copies of the encoder and the decoder in a
            row.
        reconstruction: None, as there is no direct reconstruction loss in GAIA; or "mse", "l1", "bernoulli", a callable
            ``loss(x_hat, x)``, to add one, called ``reconstruction``.
        weight, critic_weight: of the autoencoder's adversarial terms and of the critic's; see :class:`Adversary`.
        distance_weight: w, with the preset; when not given 5e-5, or 0 without it.
        interpolator: how codes are mixed; when not given, the preset's way.
        preset: None or "published".
        generator: draws the coefficients; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a batch of one.

    >>> reg = GAIARegularizer(nn.Linear(8, 2), nn.Linear(2, 8))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstructed', 'interpolation', 'critic/real', 'critic/reconstructed', 'critic/interpolation']
    """

    name = "gaia"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = None,
        weight: WeightLike = 1.0,
        critic_weight: WeightLike = 1.0,
        distance_weight: WeightLike | None = None,
        interpolator: CodeMixer | None = None,
        preset: Preset = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if distance_weight is None:
            distance_weight = 5e-5 if _checks.is_published(preset) else 0.0
        parts = reconstructed(encoder, decoder, reconstruction)
        game = AutoencodingCritic(
            encoder, decoder, critic, preset=preset, interpolator=interpolator, weight=weight,
            distance_weight=distance_weight, critic_weight=critic_weight, generator=generator,
        )  # fmt: skip
        super().__init__([*parts, game])
