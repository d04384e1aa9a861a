"""Measure every contestant over the grid: ``python benchmarks/mmd_grid.py``, and again to resume an interrupted run.

Within a cell the contestants run in turn, and the median is kept. A call that would be too long or too large, as
predicted by the previous cell, is skipped, with a row that gives the reason. ``python benchmarks/mmd_report.py`` then
draws the results.
"""

import argparse
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from clock import SLOW, interleaved
from ledger import ROOT, Key, Ledger, device_name
from mmd_memory import alone
from mmd_peers import CONTESTANTS, HERE, data, gate, step, widths_of
from roofline import ideal, rates
from tqdm import tqdm

MAIN = (64, "six")
MAIN_SIZES = (64, 256, 1024, 4096, 16384, 65536, 131072)
OTHERS = [(2, "six"), (1024, "six"), (2, "one"), (64, "one"), (1024, "one")]
OTHER_SIZES = (64, 1024, 4096)
QUICK_SIZES = (64, 256, 1024)
MODES = ("memory", "eval", "train")  # memory first, so that too large calls are skipped before they are timed

MOST_DENSE = 16384
MOST_SECONDS = 20.0
MOST_BYTES = 8e9
LONG = 16384  # beyond, one step gives both its time and its memory, on all threads
UNLIMITED = ("interpreg", "interpreg closed form")  # the others stop where a step takes MOST_SECONDS


class Cell(NamedTuple):
    """A point of the grid, at which all contestants are measured."""

    threads: int
    n: int
    d: int
    bandwidths: str
    modes: tuple[str, ...]

    def key(self, contestant: str, mode: str) -> Key:
        return Key(contestant, self.threads, self.n, self.d, self.bandwidths, mode)


def cells(args: argparse.Namespace) -> list[Cell]:
    """Most threads first, and n growing, so that every cell can be predicted from one before."""
    counts = sorted(set(args.threads), reverse=True)
    most, least = counts[0], counts[-1]
    grid = [(t, n, *MAIN) for t in counts for n in MAIN_SIZES if n <= LONG or t == most]
    grid += [(least, n, *other) for other in OTHERS for n in OTHER_SIZES]
    if args.quick:
        grid = [(t, n, *MAIN) for t in counts for n in QUICK_SIZES]
    if args.n or args.d:
        grid = [(t, n, d, w) for t in counts for d in args.d or [64] for w in args.bandwidths
                for n in sorted(args.n or QUICK_SIZES)]  # fmt: skip
    return [Cell(*place, tuple(_modes(Cell(*place, ()), args.modes, most, bool(args.d)))) for place in grid]


def _modes(cell: Cell, wanted: Sequence[str], most: int, everywhere: bool) -> Iterator[str]:
    """Memory does not depend on the threads: it is measured once, and where a curve is drawn."""
    for mode in MODES:
        is_main = everywhere or (cell.d, cell.bandwidths) == MAIN
        possible = {"memory": is_main and cell.threads == most, "eval": cell.n <= LONG, "train": True}
        if mode in wanted and possible[mode]:
            yield mode


def reason_to_skip(ledger: Ledger, cell: Cell, name: str, mode: str, most_threads: int) -> str:
    """Why a contestant is not measured here, or an empty string."""
    contestant = CONTESTANTS[name]
    if contestant.laddered and cell.bandwidths == "one":
        return "one bandwidth makes no ladder"
    if contestant.dense and cell.n > MOST_DENSE:
        return f"stores n x n, not tried above n = {MOST_DENSE}"
    took = ledger.predicted(cell.key(name, "eval" if mode == "eval" else "train"))
    if took > MOST_SECONDS and name not in UNLIMITED:
        return f"would take about {took:.0f} s"
    held = ledger.predicted(cell.key(name, "memory")._replace(threads=most_threads))
    if mode != "eval" and contestant.dense and held > MOST_BYTES:
        return f"would hold about {held / 1e9:.0f} GB"
    return ""


def measure(ledger: Ledger, cell: Cell, mode: str, names: Sequence[str], args: argparse.Namespace) -> None:
    """One mode of one cell: the contestants that are neither measured nor skipped."""
    todo = []
    for name in names:
        key = cell.key(name, mode)
        if key in ledger.rows:
            continue
        if reason := reason_to_skip(ledger, cell, name, mode, max(args.threads)):
            ledger.add(key, None, note=f"skipped: {reason}")
        else:
            todo.append(name)
    if mode == "memory" or cell.n > LONG:
        for name in todo:
            _alone(ledger, cell, name, args)
    elif todo:
        torch.compiler.reset()  # otherwise a second size is compiled for all sizes, which is slower
        x, y = data(cell.n, cell.d, args.device)
        widths = widths_of(cell.bandwidths, cell.d)
        calls = {name: step(name, x, y, widths, mode) for name in todo}
        slow = [name for name in todo if ledger.predicted(cell.key(name, mode)) > SLOW]
        gc.collect()
        cold = [name for name in slow if not CONTESTANTS[name].compiled]
        for name, timing in interleaved(calls, args.device, cold).items():
            ledger.add(cell.key(name, mode), timing.seconds, timing.rounds)


def _alone(ledger: Ledger, cell: Cell, name: str, args: argparse.Namespace) -> None:
    """Memory, and for a long step its time too."""
    extra, took = alone(name, *cell[:4], args.device)
    note = "in a process of its own"
    if "memory" in cell.modes:
        ledger.add(cell.key(name, "memory"), extra, 1, note if extra is not None else "unknown on this system")
    if cell.n > LONG and "train" in cell.modes:
        ledger.add(cell.key(name, "train"), took, 1, f"{note}, not warmed up at this size")


def _roofline(ledger: Ledger, cell: Cell, device: str) -> None:
    key = cell.key("roofline", "train")
    if key not in ledger.rows:
        at = rates(cell.threads, device)
        note = f"{at.flops / 1e9:.0f} GFLOP/s, {at.exponentials / 1e9:.2f}e9 exponentials/s"
        ledger.add(key, ideal(cell.n, cell.d, widths_of(cell.bandwidths, cell.d), at), note=note)


def run(args: argparse.Namespace) -> None:
    """The whole grid; every contestant is compared with the reference once for each kernel and dimension."""
    ledger = Ledger(args.out, device_name(args.device))
    names = [name for name in args.contestants if name in HERE]
    for name in set(args.contestants) - set(names):
        tqdm.write(f"{name}: left out, {CONTESTANTS[name].missing}")
    gated: set[tuple[int, str]] = set()
    steps = [(cell, mode) for cell in cells(args) for mode in cell.modes]
    for cell, mode in (bar := tqdm(steps, unit="cell", disable=None)):
        bar.set_description(f"n {cell.n}, d {cell.d}, {cell.bandwidths}, {cell.threads} threads, {mode}")
        torch.set_num_threads(cell.threads)
        if mode == "train":
            _roofline(ledger, cell, args.device)
        if all(cell.key(name, mode) in ledger.rows for name in names):
            continue
        if (cell.d, cell.bandwidths) not in gated:
            gated.add((cell.d, cell.bandwidths))
            torch.compiler.reset()
            for name in names:
                gate(name, cell.d, widths_of(cell.bandwidths, cell.d), args.device)
        measure(ledger, cell, mode, names, args)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few small cells, a minute or two")
    parser.add_argument("--threads", type=int, nargs="+", help="1 2 when not given; on CUDA 1")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, help="benchmarks/results/mmd-<device>.csv when not given")
    parser.add_argument("--n", type=int, nargs="+", help="these sizes instead of the grid's")
    parser.add_argument("--d", type=int, nargs="+", help="these dimensions instead of the grid's")
    parser.add_argument("--bandwidths", nargs="+", choices=["six", "one"], default=["six"], help="with --n or --d")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--contestants", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    args = parser.parse_args(argv)
    args.threads = args.threads or ([1] if args.device == "cuda" else [1, 2])
    args.out = args.out or ROOT / "benchmarks" / "results" / f"mmd-{args.device}.csv"
    return args


def main(argv: Sequence[str] | None = None) -> None:
    before = torch.get_num_threads()
    try:
        run(arguments(argv))
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
