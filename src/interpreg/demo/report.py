"""What the demonstration leaves behind: a table, a picture and the numbers, each whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from interpreg._extras import optional_import
from interpreg._files import atomic_write
from interpreg.demo.tasks import STEPS, Score, Task
from interpreg.demo.training import Run
from interpreg.interpolator import Interpolator
from interpreg.plots import interpolation_rows

PAIRS = 6  # pairs of held-out images in the picture


def table(scores: Mapping[str, list[Score]]) -> str:
    """The methods' scores side by side, and which is the better."""
    methods = list(scores)
    measures = list(zip(*scores.values(), strict=True))
    wide = max(len(row[0].name) for row in measures)
    lines = [" ".join([" " * wide, *(f"{method:>9}" for method in methods), "   better"])]
    for row in measures:
        values = [score.value for score in row]
        best = (max if row[0].higher_is_better else min)(values)
        winners = [method for method, value in zip(methods, values, strict=True) if value == best]
        verdict = winners[0] if len(winners) == 1 else "-"  # also where a value is NaN
        shown = [f"{value:9d}" if isinstance(value, int) else f"{value:9.4f}" for value in values]
        lines.append(" ".join([f"{row[0].name:{wide}}", *shown, f"   {verdict}"]))
    return "\n".join(lines)


def picture(runs: list[Run], task: Task, path: Path) -> None:
    """Interpolations of the same held-out pairs by every run, under each other, as a PNG."""
    pyplot = optional_import("matplotlib.pyplot", "demo", "the demo's picture")
    pyplot.switch_backend("agg")  # draws to files, needs no screen
    ends = task.ends[0][:PAIRS], task.ends[1][:PAIRS]
    rows: dict[str, Tensor] = {
        run.method: Interpolator(run.encoder, run.decoder).path(*ends, STEPS) for run in runs
    }
    figure = interpolation_rows(rows, ends).get_figure(root=True)
    assert figure is not None
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", bbox_inches="tight")
    pyplot.close(figure)


def numbers(scores: Mapping[str, list[Score]], runs: list[Run], path: Path) -> None:
    """The scores, the settings and the losses along the way, as JSON."""
    content = {
        run.method: {
            "scores": {score.name: score.value for score in scores[run.method]},
            "settings": vars(run.settings),
            "torch": torch.__version__,
            "history": run.history,
        }
        for run in runs
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=1))
