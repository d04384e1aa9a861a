"""What the demonstration can be shown on: the data, the settings, and the measures that fit them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from interpreg.datasets import digits, lines
from interpreg.demo.training import Settings
from interpreg.interpolator import Interpolator
from interpreg.metrics import clustering_accuracy, line_scores, linear_probe, nearest

LINES_SIZE = 16  # pixels
STEPS = 16  # images in an interpolation, as in the paper


class Score(NamedTuple):
    """One row of the table: a measure and a method's value, whole where it is a count."""

    name: str
    value: float
    higher_is_better: bool = False


@dataclass(frozen=True)
class Task:
    """A data set with its settings and measures."""

    settings: Settings
    draw: Callable[[int, torch.Generator], Tensor]
    ends: tuple[Tensor, Tensor]
    """Held-out images to interpolate between, ``[n, 1, H, H]`` each."""
    scores: Callable[[nn.Module, nn.Module], list[Score]]
    """The measures of an encoder and a decoder."""
    yardsticks: str
    """What the numbers of the table can be held against."""


def digits_task(seed: int, steps: int | None) -> Task:
    """Real handwritten digits of 8 x 8 pixels; the test digits are by writers that training never saw."""
    data = digits.load()
    half = len(data.test) // 2
    ends = data.test[:half], data.test[half : 2 * half]

    def scores(encoder: nn.Module, decoder: nn.Module) -> list[Score]:
        codes, test_codes = encoder(data.train), encoder(data.test)
        labelled = (codes, data.train_labels, test_codes, data.test_labels)
        between = Interpolator(encoder, decoder).path(*ends, STEPS)[:, 1:-1]
        return [
            Score("reconstruction error", mse_loss(decoder(test_codes), data.test).item()),
            Score("distance of interpolants to real digits", _distance(between, data.train)),
            Score("linear probe accuracy", linear_probe(*labelled), higher_is_better=True),
            Score("clustering accuracy", clustering_accuracy(*labelled), higher_is_better=True),
        ]

    weights = torch.linspace(0, 1, STEPS)[1:-1].view(1, -1, 1, 1, 1)
    fade = torch.lerp(ends[0][:, None], ends[1][:, None], weights)
    yardsticks = (
        "Reconstruction error: mean squared, pixels in [-1, 1]. Distance: cosine, to the nearest training digit;\n"
        f"other people's real digits have {_distance(data.test[:, None], data.train):.4f}, "
        f"cross-fades of pixels {_distance(fade, data.train):.4f}."
    )

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return data.train[torch.randint(len(data.train), (n,), generator=generator)]

    settings = Settings("digits", seed, steps or 3000, learning_rate=2e-3, width=16, scales=2, code_channels=16)
    return Task(settings, draw, ends, scores, yardsticks)


def lines_task(seed: int, steps: int | None) -> Task:
    """The lines benchmark at 16 x 16 pixels, with its exact scores."""
    held_out = torch.Generator().manual_seed(2**31 + seed)
    ends = lines.sample(256, LINES_SIZE, generator=held_out), lines.sample(256, LINES_SIZE, generator=held_out)

    def scores(encoder: nn.Module, decoder: nn.Module) -> list[Score]:
        found = line_scores(Interpolator(encoder, decoder).path(*ends, STEPS))
        images = torch.cat(ends)
        return [
            Score("reconstruction error", mse_loss(decoder(encoder(images)), images).item()),
            Score("mean distance x 1000", 1000 * found.mean_distance),
            Score("smoothness (where defined)", found.smoothness),
            Score("smoothness (as published)", found.smoothness_paper),
            Score("detour (half turns)", found.detour),
            Score("paths of undefined smoothness", found.undefined),
        ]

    yardsticks = (
        "Reconstruction error: mean squared, pixels in [-1, 1]. Each score is 0 at best. The paper, at 32 x 32\n"
        "and 262,144 steps, has mean distance and smoothness 6.88 and 0.44 plain, 0.24 and 0.10 with ACAI."
    )

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return lines.sample(n, LINES_SIZE, generator=generator)

    settings = Settings("lines", seed, steps or 2500, learning_rate=1e-3, width=8, scales=3, code_channels=16)
    return Task(settings, draw, ends, scores, yardsticks)


TASKS: dict[str, Callable[[int, int | None], Task]] = {"digits": digits_task, "lines": lines_task}


def _distance(paths: Tensor, real: Tensor) -> float:
    distance = nearest(paths.flatten(0, 1), real).distances.mean().item()
    assert math.isfinite(distance)
    return distance
