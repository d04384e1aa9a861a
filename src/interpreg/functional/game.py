"""The losses of the two-player game, as pure functions of the critic's judgement.

A judgement is the critic's output for a batch of images: one number per sample ``[B]``, or one per element of the code
``[B, ...]``. Each function returns a mean over all of its elements (with a padding mask ``[B, T]``, over those of valid
positions), 0-dim, in at least fp32.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from interpreg._numerics import as_wide
from interpreg.functional.means import mean

GameLoss = Callable[..., Tensor]
"""``loss(judgement, mask=None)``; of interpolants ``loss(judgement, alpha, mask=None)``, shaped alike, where "bce" and
"hinge" do not use alpha."""


@dataclass(frozen=True)
class Game:
    """What each player minimises."""

    generator: GameLoss
    """The autoencoder's loss, from the judgement of its interpolants."""
    critic_mix: GameLoss
    """The critic's loss on interpolants, from their judgement and their coefficient."""
    critic_real: GameLoss
    """The critic's loss on data and reconstructions."""


def _mean_square(judgement: Tensor, mask: Tensor | None = None) -> Tensor:
    return mean(as_wide(judgement).square(), mask)


def _mean_square_error(judgement: Tensor, alpha: Tensor, mask: Tensor | None = None) -> Tensor:
    if judgement.shape != alpha.shape:  # a [B] against a [B, 1, 1, 1] would broadcast to B x B
        raise ValueError(
            f"alpha: expected the judgement's shape {tuple(judgement.shape)}, got {tuple(alpha.shape)}"
        )
    return mean((as_wide(judgement) - alpha).square(), mask)


def _is_real(judgement: Tensor, mask: Tensor | None = None) -> Tensor:
    return mean(softplus(-as_wide(judgement)), mask)


GAMES: dict[str, Game] = {
    # ACAI eqs 1 and 2: regress the coefficient, 0 for what is not interpolated
    "regression": Game(generator=_mean_square, critic_mix=_mean_square_error, critic_real=_mean_square),
    # Goodfellow et al. 2014 with the non-saturating generator: judgements are logits, real is 1
    "bce": Game(
        generator=_is_real,
        critic_mix=lambda judgement, alpha, mask=None: mean(softplus(as_wide(judgement)), mask),
        critic_real=_is_real,
    ),
    # Lim and Ye 2017 (arXiv 1705.02894): margins of 1 on either side, an unbounded generator loss
    "hinge": Game(
        generator=lambda judgement, mask=None: -mean(as_wide(judgement), mask),
        critic_mix=lambda judgement, alpha, mask=None: mean(relu(1 + as_wide(judgement)), mask),
        critic_real=lambda judgement, mask=None: mean(relu(1 - as_wide(judgement)), mask),
    ),
}
