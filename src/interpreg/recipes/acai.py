"""Adversarially constrained interpolation."""

from typing import Literal

import torch
from torch import nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.needs import CodeMixer
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import Critic
from interpreg.regularizers.mixers import as_mixer
from interpreg.regularizers.weights import WeightLike


class ACAIRegularizer(Game):
    r"""Adversarially Constrained Autoencoder Interpolation (Berthelot, Raffel, Roy, Goodfellow 2019).

    .. math::
        L_{f,g} &= \overline{\lVert x - g(f(x)) \rVert^2} + \lambda \, \overline{d(x_\mathrm{mix})^2}
        \quad \text{(eq. 2)} \\
        L_d &= \overline{(d(x_\mathrm{mix}) - \alpha)^2}
        + \overline{d(\gamma x + (1 - \gamma) \hat x)^2} \quad \text{(eq. 1)}

    with :math:`x_\mathrm{mix} = g(\alpha f(x) + (1 - \alpha) f(x_\mathrm{partner}))`, alpha uniform on [0, 0.5], the
    reversed batch as partners, and means over the batch and over elements where the paper writes norms (as the
    published code, whose ``weight=0.5`` is for such means and pixels in [-1, 1]).

    Losses: ``reconstruction``, ``interpolation`` (the autoencoder's), ``critic/interpolation``, ``critic/real`` (the
    critic's). A sum of :class:`Reconstruction` and :class:`Critic`. Calls of the networks a batch, the fewest possible:
    encoder 1, decoder 2, critic 3; with the backward, in units of one forward pass, 3 encoder, 6 decoder, 8 critic.

    Args:
        encoder, decoder: the pair; any modules or callables.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as in the paper.
        reconstruction: "mse", "l1", a callable ``loss(x_hat, x)``, or None where the loop has its own.
        weight: lambda, of ``interpolation`` (paper: 0.5); a number, a tensor, a :class:`Ramp` or an :class:`Adaptive`.
        critic_weight: of the critic's terms.
        gamma: weight of the data in the critic's real images; the rest is reconstruction (paper: 0.2).
        interpolator: how codes are mixed; when not given, the paper's way.
        loss, judge: see :class:`Critic`.
        generator: where the coefficients come from; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.

    >>> encoder, decoder = nn.Linear(8, 2), nn.Linear(2, 8)
    >>> reg = ACAIRegularizer(encoder, decoder)
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'interpolation', 'critic/interpolation', 'critic/real']
    """

    name = "acai"

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
        interpolator: CodeMixer | None = None,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        interpolator = as_mixer(interpolator, generator)
        if generator is not None:
            interpolator = Interpolator(generator=generator)
        game = Critic(
            encoder, decoder, critic, interpolator=interpolator, loss=loss, judge=judge, gamma=gamma, weight=weight,
            critic_weight=critic_weight,
        )  # fmt: skip
        super().__init__([*reconstructed(encoder, decoder, reconstruction), game])
