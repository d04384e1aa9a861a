"""What recipes share: presets, the reconstruction that a loop may have already, and the way to their critic."""

import torch
from torch import nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.interpolator import Interpolator
from interpreg.regularizers import Adversary, Reconstruction, Regularizer, Sum
from interpreg.regularizers.base import as_interpolator
from interpreg.regularizers.weights import WeightLike


class Game(Sum):
    """A recipe with a critic."""

    @property
    def game(self) -> Adversary:
        """The part with the critic: both players' terms and their weights."""
        return next(part for part in self.regularizers() if isinstance(part, Adversary))

    @property
    def critic(self) -> nn.Module:
        """The critic network, which this regularizer trains."""
        return self.game.network


def reconstructed(
    encoder: Network, decoder: Network, loss: str | ReconstructionLoss | None, weight: WeightLike = 1.0
) -> list[Regularizer]:
    """The reconstruction term as the first part of a recipe, or no part where the loop has its own."""
    return [] if loss is None else [Reconstruction(encoder, decoder, loss=loss, weight=weight)]


def mixer(
    interpolator: Interpolator | None, generator: torch.Generator | None, kind: str | None = None
) -> Interpolator | None:
    """The interpolator of a recipe as given, checked.

    Raises:
        TypeError: no interpolator.
        ValueError: one beside a generator; one of another kind than the recipe is about.
    """
    as_interpolator(interpolator)
    if interpolator is not None and generator is not None:
        raise ValueError("generator: expected None beside an interpolator, which has a generator of its own")
    if interpolator is not None and kind is not None and interpolator.kind != kind:
        raise ValueError(
            f"interpolator: expected one of kind={kind!r}, which this recipe is about, got {interpolator.kind!r}"
        )
    return interpolator
