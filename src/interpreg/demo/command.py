"""``python -m interpreg demo``: train a plain and an ACAI autoencoder, and compare their reports."""

import argparse
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from interpreg._extras import optional_import
from interpreg._files import as_path, atomic_write
from interpreg.datasets.command import count
from interpreg.demo import training
from interpreg.demo.tasks import TASKS
from interpreg.demo.training import Run
from interpreg.interpolator import Interpolator
from interpreg.plots import interpolation_rows
from interpreg.plots._canvas import save_png
from interpreg.report import Report
from interpreg.report.command import checkpoint_report
from interpreg.report.metric import number

PICTURE_PAIRS = 6
PICTURE_STEPS = 16  # images in an interpolation, as in the paper
KEYS = (
    "reconstruction_error", "mean_distance", "smoothness", "smoothness_paper", "detour", "smoothness_undefined",
    "linear_probe", "clustering_accuracy",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the demonstration."""
    parser.add_argument("--data", choices=list(TASKS), default="digits", help="to train on (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the networks and batches (%(default)s)")
    parser.add_argument("--steps", type=count, help="of each model's training (3,000 on digits, 2,500 on lines)")
    parser.add_argument(
        "--threads",
        type=count,
        default=min(2, os.cpu_count() or 1),
        help="of the CPU; more is rarely faster (%(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder to write to (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="ignore the checkpoints of an earlier run")


def run(arguments: argparse.Namespace) -> None:
    """Train both models (or resume an earlier call), print the table, draw the picture."""
    for module in ("sklearn", "scipy", "matplotlib", "tqdm"):
        optional_import(module, "demo", "the demo")
    torch.set_num_threads(arguments.threads)
    folder = as_path("--out", arguments.out) / f"{arguments.data}-seed{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    task = TASKS[arguments.data](arguments.seed, arguments.steps)
    print(f"Training the same autoencoder twice on {arguments.data}: plain, and with ACAIRegularizer.")
    start = time.monotonic()
    runs, reports = [], {}
    for method in training.METHODS:
        checkpoint = folder / f"{method.lower()}.pt"
        if arguments.fresh:
            checkpoint.unlink(missing_ok=True)
        model = training.start(method, task.settings)
        training.train(model, task.draw, checkpoint, task.tables)
        runs.append(model)
        reports[method] = checkpoint_report(checkpoint, draw=False)
        reports[method].save_json(folder / f"{method.lower()}.json")
    picture(runs, task.held_out.images, folder / "interpolations.png")
    print(f"\n{table(reports)}\n\nReconstruction error: mean squared, pixels in [-1, 1].\n{task.note}")
    seconds = time.monotonic() - start
    print(f"\n{seconds:.0f} seconds this time, {task.settings.steps} steps each, seed {arguments.seed}.")
    print(f"Picture: {folder / 'interpolations.png'}\nNumbers: {folder / 'plain.json'}, {folder / 'acai.json'}")
    print(f"For a page with every metric: python -m interpreg report {folder / 'acai.pt'}")


def table(reports: Mapping[str, Report]) -> str:
    """The main metrics of the reports side by side, cross-fades of the data, and the better method of each row."""
    rows = [[m for report in reports.values() for m in report.metrics if m.key == key] for key in KEYS]
    rows = [row for row in rows if row]
    width = max(len(row[0].name) for row in rows)
    lines = [" ".join([" " * width, *(f"{name:>10}" for name in (*reports, "cross-fade")), "   better"])]
    for row in rows:
        sign = -1 if row[0].best == "1" else 1
        ranking = sorted(math.inf if metric.value is None else sign * metric.value for metric in row)
        methods = [m for m, metric in zip(reports, row, strict=True) if metric.value == sign * ranking[0]]
        better = methods[0] if math.isfinite(ranking[-1]) and len(methods) == 1 else "-"
        baseline = "" if row[0].baseline is None else number(row[0].baseline)
        cells = [*(metric.shown() for metric in row), baseline]
        lines.append(" ".join([f"{row[0].name:{width}}", *(f"{cell:>10}" for cell in cells), f"   {better}"]))
    return "\n".join(lines)


def picture(runs: list[Run], images: Tensor, path: Path) -> None:
    """Interpolations of the same held-out pairs, a block of rows a run, as a PNG."""
    optional_import("matplotlib.pyplot", "demo", "the demo's picture").switch_backend("agg")  # needs no display
    half = len(images) // 2
    ends = images[:PICTURE_PAIRS], images[half : half + PICTURE_PAIRS]
    with torch.no_grad():
        rows = {run.method: Interpolator(run.encoder, run.decoder).path(*ends, PICTURE_STEPS) for run in runs}
    with atomic_write(path) as partial:
        save_png(interpolation_rows(rows, ends), partial)
