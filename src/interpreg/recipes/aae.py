"""Adversarial autoencoders."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import LatentCritic
from interpreg.regularizers.weights import WeightLike


class AAERegularizer(Game):
    r"""Adversarial autoencoder (Makhzani, Shlens, Jaitly, Goodfellow, Frey 2016; arXiv 1511.05644, section 2).

    .. math::
        L_{f,g} &= \overline{(x - \hat x)^2} + \lambda \, \overline{-\ln \sigma(d(z))} \\
        L_d &= \overline{-\ln \sigma(d(h))} + \overline{-\ln (1 - \sigma(d(z)))}, \qquad h \sim p

    with a critic d that maps codes to logits, and means over the batch and over elements. The defaults are those of the
    baseline published with ACAI: lambda is 1, the critic a network of two hidden layers of 100 units on the flattened
    code, and all players step at once. (The paper takes the steps for reconstruction, critic and encoder in turn.)

    Losses: ``reconstruction``, ``latent`` (the autoencoder's), ``critic/latent``, ``critic/prior`` (the critic's). A
    sum of :class:`Reconstruction` and :class:`LatentCritic`. Calls of the networks a batch: encoder 1, decoder 1,
    critic 3.

    Args:
        encoder, decoder: the pair; any modules or callables.
        critic, code_shape, example, prior, loss, generator: see :class:`LatentCritic`; the normal prior is the
            published one.
        reconstruction: "mse", "l1", "bernoulli", a callable ``loss(x_hat, x)``, or None where the loop has its own.
        weight, critic_weight: lambda, and the weight of the critic's terms; see :class:`Adversary`.

    Raises:
        TypeError, ValueError: as for :class:`LatentCritic`.

    >>> reg = AAERegularizer(nn.Linear(8, 2), nn.Linear(2, 8), code_shape=(2,))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'latent', 'critic/latent', 'critic/prior']
    """

    name = "aae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        code_shape: Sequence[int | None] | None = None,
        example: Tensor | None = None,
        prior: object = "normal",
        reconstruction: str | ReconstructionLoss | None = "mse",
        weight: WeightLike = 1.0,
        critic_weight: WeightLike = 1.0,
        loss: Literal["bce", "hinge"] = "bce",
        generator: torch.Generator | None = None,
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        game = LatentCritic(
            encoder, decoder, critic, code_shape=code_shape, example=example, prior=prior, loss=loss, weight=weight,
            critic_weight=critic_weight, generator=generator,
        )  # fmt: skip
        super().__init__([*parts, game])
