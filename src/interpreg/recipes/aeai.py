"""Autoencoder adversarial interpolation."""

from typing import Literal

import torch
from torch import nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.recipes.common import Game, reconstructed
from interpreg.regularizers import AlphaSmoothness, Critic, CycleConsistency
from interpreg.regularizers.mixers import as_interpolator
from interpreg.regularizers.smoothness import Method
from interpreg.regularizers.weights import WeightLike, scaled


class AEAIRegularizer(Game):
    r"""Autoencoder Adversarial Interpolation (Oring, Yakhini, Hel-Or 2021; arXiv 2008.01487, eq. 1).

    .. math::
        L^{i \to j} &= L_R^{i \to j} + \lambda_A L_A^{i \to j} + \lambda_C L_C^{i \to j} + \lambda_S L_S^{i \to j} \\
        L_R^{i \to j} &= \ell(x_i, \hat x_i) + \ell(x_j, \hat x_j) \\
        L_A^{i \to j} &= \sum_{n=0}^{M} -\log D(\hat x_{i \to j}(n/M)) \\
        L_C^{i \to j} &= \sum_{n=0}^{M} \lVert z_{i \to j}(n/M) - f(\hat x_{i \to j}(n/M)) \rVert^2 \\
        L_S^{i \to j} &= \sum_{n=0}^{M} \left\lVert \frac{\partial \hat x_{i \to j}}{\partial \alpha}
                         \right\rVert^2_{\alpha = n/M}

    with :math:`z_{i \to j}(\alpha)` on the straight line between two codes and :math:`\hat x_{i \to j} = g(z_{i \to
    j})`. D is trained by the standard loss of a GAN, :math:`-\log D(x) - \log(1 - D(\hat x_{i \to j}))`: the data are
    real, interpolants are not, and reconstructions are not judged. The network returns logits; D is their sigmoid.

    Partners are a cyclic permutation of the batch, so that no sample is its own partner and there are as many pairs as
    samples. Losses are means over pairs and over elements where the paper writes sums over pairs and norms. Each sample
    is an endpoint of two pairs, so :math:`L_R` is twice the mean over the batch: weight 2. As the paper does in
    practice, one alpha a pair is drawn from U(0, 1). With ``grid=M + 1`` all points of the grid are used and summed, as
    the paper writes: the terms are means over the grid, and their weights, the critic's too, are multiplied by M + 1.

    Losses: ``reconstruction``, ``interpolation``, ``cycle``, ``smoothness`` (the autoencoder's),
    ``critic/interpolation``, ``critic/real`` (the critic's). A sum of :class:`Reconstruction`, :class:`Critic`,
    :class:`CycleConsistency` and :class:`AlphaSmoothness`. Calls of the networks a batch, the fewest possible: encoder
    2, decoder 2, one of them in forward mode, critic 3. There is no preset, because no code was published.

    Args:
        encoder, decoder: the pair; any modules or callables.
        critic: the critic network, images to logits; when not given, :func:`interpreg.fresh_copy` of the encoder, whose
            outputs are averaged to one.
        reconstruction: "mse", "l1", "bernoulli", a callable ``loss(x_hat, x)``, or None where the loop has its own.
        weight, cycle_weight, smoothness_weight: lambda_A, lambda_C, lambda_S (paper: 0.01, 0.01, 0.1).
        critic_weight: of the critic's terms.
        grid: None, or M + 1 of at least 2, the number of points at which the losses are summed.
        method, judge: see :class:`AlphaSmoothness` and :class:`Critic`.
        interpolator: how codes are mixed; when not given, the paper's way.
        generator: draws coefficients and partners; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a grid or a generator beside an
            interpolator, which has its own.

    >>> reg = AEAIRegularizer(nn.Linear(8, 2), nn.Linear(2, 8))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'interpolation', 'critic/interpolation', 'critic/real', 'cycle', 'smoothness']
    """

    name = "aeai"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        critic: nn.Module | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        weight: WeightLike = 1e-2,
        cycle_weight: WeightLike = 1e-2,
        smoothness_weight: WeightLike = 1e-1,
        critic_weight: WeightLike = 1.0,
        grid: int | None = None,
        method: Method = "auto",
        judge: Literal["mean", "code", "logit"] = "mean",
        interpolator: Interpolator | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if interpolator is not None and grid is not None:
            raise ValueError("grid: expected None beside an interpolator, which has one of its own")
        strategy = as_interpolator(interpolator, generator) or Interpolator(
            alpha_range=(0.0, 1.0), pairing="permutation", grid=grid, generator=generator
        )
        # the paper sums over the grid where the terms are means
        points = strategy.grid or 1
        super().__init__(
            [
                *reconstructed(encoder, decoder, reconstruction, weight=2.0),
                Critic(
                    encoder, decoder, critic, interpolator=strategy, loss="bce", judge=judge, gamma=1.0,
                    weight=scaled(weight, points), critic_weight=scaled(critic_weight, points),
                ),
                CycleConsistency(encoder, decoder, interpolator=strategy, weight=scaled(cycle_weight, points)),
                AlphaSmoothness(
                    encoder, decoder, interpolator=strategy, method=method, weight=scaled(smoothness_weight, points)
                ),
            ]
        )  # fmt: skip
