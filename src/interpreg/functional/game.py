"""The losses of the two-player game, as pure functions of what the critic said.

A judgement is the critic's output for a batch of images: one number per sample ``[B]``, or one per element of
the code ``[B, ...]``. Each function returns a mean over all of its elements, 0-dim, in at least fp32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus


@dataclass(frozen=True)
class Game:
    """What each player minimises."""

    fool: Callable[[Tensor], Tensor]
    """The autoencoder's loss, from the judgement of its interpolants."""
    on_mix: Callable[[Tensor, Tensor], Tensor]
    """The critic's loss on interpolants, from their judgement and their coefficient."""
    on_real: Callable[[Tensor], Tensor]
    """The critic's loss on what is not interpolated."""


def _wide(judgement: Tensor) -> Tensor:
    return judgement.to(torch.promote_types(judgement.dtype, torch.float32))


def _mean_square(judgement: Tensor) -> Tensor:
    return _wide(judgement).square().mean()


def _mean_square_error(judgement: Tensor, alpha: Tensor) -> Tensor:
    if judgement.shape != alpha.shape:  # a [B] against a [B, 1, 1, 1] would broadcast to B x B
        raise ValueError(
            f"alpha: expected the judgement's shape {tuple(judgement.shape)}, got {tuple(alpha.shape)}"
        )
    return (_wide(judgement) - alpha).square().mean()


GAMES: dict[str, Game] = {
    # ACAI eqs 1 and 2: regress the coefficient, 0 for what is not interpolated
    "regression": Game(
        fool=_mean_square,
        on_mix=_mean_square_error,
        on_real=_mean_square,
    ),
    # Goodfellow et al. 2014 with the non-saturating generator: judgements are logits, real is 1
    "bce": Game(
        fool=lambda judgement: softplus(-_wide(judgement)).mean(),
        on_mix=lambda judgement, alpha: softplus(_wide(judgement)).mean(),
        on_real=lambda judgement: softplus(-_wide(judgement)).mean(),
    ),
    # Lim and Ye 2017 (arXiv 1705.02894): margins of 1 on either side, an unbounded fool
    "hinge": Game(
        fool=lambda judgement: -_wide(judgement).mean(),
        on_mix=lambda judgement, alpha: relu(1 + _wide(judgement)).mean(),
        on_real=lambda judgement: relu(1 - _wide(judgement)).mean(),
    ),
}
