"""What recipes share: presets, the reconstruction that a loop may have already, and a way to a part."""

from typing import Literal, TypeVar

from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.regularizers import Reconstruction, Regularizer, Sum

Preset = Literal["paper"] | None
"""None, the default: as the paper says. "paper": as the published numbers were obtained, where that is not the same."""
PRESETS: tuple[Preset, ...] = (None, "paper")
_Part = TypeVar("_Part", bound=Regularizer)


def reconstructed(
    encoder: Network, decoder: Network, loss: str | ReconstructionLoss | None, weight: float = 1.0
) -> list[Regularizer]:
    """The reconstruction term as the first part of a recipe, or no part where the loop has its own."""
    return [] if loss is None else [Reconstruction(encoder, decoder, loss=loss, weight=weight)]


def part(recipe: Sum, name: str, kind: type[_Part]) -> _Part:
    """A part of a recipe by its name."""
    found = recipe.parts[name]
    assert isinstance(found, kind)
    return found
