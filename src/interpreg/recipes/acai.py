"""Adversarially constrained interpolation."""

from typing import Literal

import torch
from torch import Tensor, nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.recipes.common import part, reconstructed
from interpreg.regularizers import Critic, Sum


class ACAIRegularizer(Sum):
    r"""Adversarially Constrained Autoencoder Interpolation (Berthelot, Raffel, Roy, Goodfellow 2019).

    .. math::
        L_{f,g} &= \overline{\lVert x - g(f(x)) \rVert^2} + \lambda \, \overline{d(x_\mathrm{mix})^2}
        \quad \text{(eq. 2)} \\
        L_d &= \overline{(d(x_\mathrm{mix}) - \alpha)^2}
        + \overline{d(\gamma x + (1 - \gamma) \hat x)^2} \quad \text{(eq. 1)}

    with :math:`x_\mathrm{mix} = g(\alpha f(x) + (1 - \alpha) f(x_\mathrm{partner}))`, alpha uniform on
    [0, 0.5], the reversed batch as partners, and means over the batch and over elements where the paper writes
    norms (the published code does, and ``weight=0.5`` assumes it, with pixels in [-1, 1]).

    Losses: ``reconstruction``, ``interpolation`` (the autoencoder's), ``critic/interpolation``, ``critic/real``
    (the critic's). A sum of :class:`Reconstruction` and :class:`Critic`, whose docstrings say the rest.
    Calls of the networks a batch, which is the floor: encoder 1, decoder 2, critic 3; in units of one forward
    pass 3 encoder, 6 decoder, 8 critic with the backward.

    Args:
        encoder, decoder: the pair; any modules or callables.
        critic: the critic network; when not given, :func:`interpreg.fresh_copy` of the encoder, as in the paper.
        reconstruction: "mse", "l1", a callable ``loss(x_hat, x)``, or None where the loop has its own.
        weight: lambda, of the autoencoder's adversarial term (paper: 0.5).
        gamma: weight of the data in the blend that the critic sees as real (paper: 0.2).
        interpolator: how codes are mixed; when not given, the paper's way.
        loss, judge: see :class:`Critic`.
        critic_start, adversarial_start, adversarial_ramp, spectral_norm, adaptive: see :class:`Adversary`.
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
        weight: float = 0.5,
        gamma: float = 0.2,
        interpolator: Interpolator | None = None,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "mean",
        critic_start: int = 0,
        adversarial_start: int = 0,
        adversarial_ramp: int = 0,
        spectral_norm: bool = False,
        adaptive: bool | Tensor = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if interpolator is not None and generator is not None:
            raise ValueError("generator: expected None beside an interpolator, which has a generator of its own")
        parts = reconstructed(encoder, decoder, reconstruction)
        parts.append(
            Critic(
                encoder,
                decoder,
                critic,
                interpolator=interpolator or Interpolator(generator=generator),
                loss=loss,
                judge=judge,
                gamma=gamma,
                weight=weight,
                critic_start=critic_start,
                adversarial_start=adversarial_start,
                adversarial_ramp=adversarial_ramp,
                spectral_norm=spectral_norm,
                adaptive=adaptive,
            )
        )
        super().__init__(parts)

    @property
    def critic(self) -> Critic:
        """The game; its ``network`` is what this regularizer trains."""
        return part(self, "critic", Critic)
