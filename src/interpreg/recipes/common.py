"""What recipes share: the base of those with a critic, and the optional reconstruction term."""

from torch import nn

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.regularizers import Adversary, Reconstruction, Regularizer, Sum
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
