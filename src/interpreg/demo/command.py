"""``python -m interpreg demo``."""

import argparse
import os
import time
from pathlib import Path

import torch

from interpreg._extras import optional_import
from interpreg.demo import report, training
from interpreg.demo.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the demonstration."""
    parser.add_argument("--data", choices=list(TASKS), default="digits", help="what to train on (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the networks, batches and pairs (%(default)s)")
    parser.add_argument("--steps", type=_count, help="training steps of each model (as many as fit in 3 minutes)")
    parser.add_argument(
        "--threads",
        type=_count,
        default=min(2, os.cpu_count() or 1),
        help="of the CPU; more is rarely faster (%(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder to write to (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="train anew, whatever an earlier run left")


def run(arguments: argparse.Namespace) -> None:
    """Train both models (or go on where an earlier call stopped), print the table, draw the picture."""
    for module in ("sklearn", "scipy", "matplotlib", "tqdm"):
        optional_import(module, "demo", "the demo")
    torch.set_num_threads(arguments.threads)
    folder = arguments.out / f"{arguments.data}-seed{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    task = TASKS[arguments.data](arguments.seed, arguments.steps)
    print(f"Training the same autoencoder twice on {arguments.data}: plain, and with ACAIRegularizer.")
    began = time.monotonic()
    runs = []
    for method in training.METHODS:
        checkpoint = folder / f"{method.lower()}.pt"
        if arguments.fresh:
            checkpoint.unlink(missing_ok=True)
        model = training.start(method, task.settings)
        training.train(model, task.draw, checkpoint)
        runs.append(model)
    with torch.no_grad():
        scores = {model.method: task.scores(model.encoder, model.decoder) for model in runs}
        report.numbers(scores, runs, folder / "results.json")
        report.picture(runs, task, folder / "interpolations.png")
    print(f"\n{report.table(scores)}\n\n{task.yardsticks}")
    seconds = time.monotonic() - began
    print(f"\n{seconds:.0f} seconds this time, {task.settings.steps} steps each, seed {arguments.seed}.")
    print(f"Picture: {folder / 'interpolations.png'}\nNumbers: {folder / 'results.json'}")
    print(f"For a page with every measure: python -m interpreg report {folder / 'acai.pt'}")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
