"""From trained recipes to a table and pictures: ``python benchmarks/recipes_report.py``. Nothing is trained here."""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import torch
from recipes_on_lines import METHODS, RESULTS, SIZE, checkpoint, ends, paths, start

from interpreg.plots import interpolation_rows

DOCS = Path(__file__).parent.parent / "docs"
GROUPS = {
    "critics": ("plain", "ACAI", "MI-AE", "LR-AE", "MIDR-AE"),
    "games": ("plain", "AEAI", "AEAI, less smooth", "AMR", "AMR Bernoulli", "AMR 3-way", "GAIA"),
    "priors": ("plain", "AAE", "WAE", "WAE Sinkhorn", "VAE", "ACAI on a VAE"),
    "noise": ("plain", "VQ-VAE", "denoising", "dropout", "sparse"),
}
SHOWN = 3  # pairs of lines in a picture
MEASURES = (  # column, heading, format
    ("reconstruction", "reconstruction error", ".4f"),
    ("mean_distance_x1000", "mean distance x 1000", ".1f"),
    ("smoothness", "smoothness", ".2f"),
    ("smoothness_paper", "as published", ".2f"),
    ("detour", "detour", ".2f"),
    ("undefined", "undefined", ".0f"),
)


def table(rows: list[dict[str, str]], steps: int) -> Iterator[str]:
    """Each method's measures, the mean over its seeds."""
    of = defaultdict(list)
    for row in rows:
        if int(row["steps"]) == steps:
            of[row["method"]].append(row)
    yield "| method | seeds | " + " | ".join(heading for _, heading, _ in MEASURES) + " |\n"
    yield "|:--|--:|" + "--:|" * len(MEASURES) + "\n"
    for method in [name for name in METHODS if name in of]:
        values = [format(mean(float(row[key]) for row in of[method]), shown) for key, _, shown in MEASURES]
        yield f"| {method} | {len(of[method])} | " + " | ".join(values) + " |\n"


def picture(methods: tuple[str, ...], folder: Path, steps: int, path: Path) -> None:
    """The same pairs of held-out lines by every method that was trained with seed 0."""
    rows = {}
    starts, stops = ends(0)
    ink = ((starts + 1) * (stops + 1)).flatten(1).sum(1)  # where both are bright
    chosen = (ink < 0.1 * ink.max()).nonzero()[
        :SHOWN, 0
    ]  # lines that are far apart, which are hard to interpolate
    for method in methods:
        trained = checkpoint(folder, method, 0, steps)
        if trained.exists():
            run = start(method, 0, steps)
            run.load(torch.load(trained, weights_only=True))
            rows[method] = paths(run)[chosen]
    if rows:
        figure = interpolation_rows(rows, (starts[chosen], stops[chosen])).get_figure(root=True)
        figure.savefig(path, format="png", bbox_inches="tight")
        print(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--checkpoints", type=Path, default=Path("recipes-out"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--table", type=Path, default=DOCS / "_generated" / "recipes-table.md")
    parser.add_argument("--pictures", type=Path, default=DOCS / "_static")
    options = parser.parse_args(arguments)
    with options.results.open(newline="") as file:
        options.table.write_text("".join(table(list(csv.DictReader(file)), options.steps)))
    print(options.table)
    for name, methods in GROUPS.items():
        picture(methods, options.checkpoints, options.steps, options.pictures / f"recipes-{name}-{SIZE}.png")


if __name__ == "__main__":
    main()
