"""Whether memory grows over training steps, for every regularizer: ``python benchmarks/memory_of_steps.py``.

Resident memory and the number of tensors alive after a tenth of the steps and after all of them, with the cyclic
garbage collector off, batches of two sizes in turn, and an optimizer step for each. Rows are written one by one, so
that an interrupted run resumes.
"""

import argparse
import csv
import gc
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from ledger import commit
from torch import Tensor, nn
from tqdm import tqdm

TESTS = Path(__file__).parent.parent / "tests"
RESULTS = Path(__file__).parent / "results" / "memory-of-steps.csv"
COLUMNS = [
    "regularizer",
    "steps",
    "tensors",
    "more_tensors",
    "resident_kib",
    "more_kib",
    "seconds",
    "torch",
    "commit",
]


class Memory(NamedTuple):
    """What is in use."""

    tensors: int
    resident_kib: int


def memory() -> Memory:
    """Of this process, now, as Linux counts it; ``resource`` knows the peak alone, which hides growth below it."""
    tensors = sum(issubclass(type(each), Tensor) for each in gc.get_objects())
    resident = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
    return Memory(tensors, resident)


def measured(name: str, steps: int) -> dict[str, object]:
    """One regularizer's row."""
    from everyone import REGULARIZERS  # of the tests, which list them all
    from zoo import vector_pair

    torch.manual_seed(0)
    encoder, decoder, _ = vector_pair()
    reg = REGULARIZERS[name](encoder, decoder)
    modules = nn.ModuleList([reg.encoder, reg.decoder, reg])
    optimizer = torch.optim.Adam(modules.parameters(), lr=1e-4)
    begun, start = time.perf_counter(), Memory(0, 0)
    for step in tqdm(range(steps), desc=name, leave=False, disable=None):
        if step == steps // 10:
            gc.collect()
            gc.disable()
            start = memory()
        losses = reg(2 * torch.rand(6 + step % 2, 1, 8, 8) - 1)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    end = memory()
    gc.enable()
    return {
        "regularizer": name, "steps": steps, "tensors": end.tensors, "more_tensors": end.tensors - start.tensors,
        "resident_kib": end.resident_kib, "more_kib": end.resident_kib - start.resident_kib,
        "seconds": f"{time.perf_counter() - begun:.0f}", "torch": torch.__version__, "commit": commit(),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measure what is not in the file yet, and report the largest growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--names", nargs="*", help="regularizers; all when not given")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(TESTS))
    from everyone import REGULARIZERS

    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    if not chosen.out.exists():
        chosen.out.write_text(",".join(COLUMNS) + "\n")
    torch.set_num_threads(1)
    for name in tqdm(chosen.names or list(REGULARIZERS), disable=None):
        if (name, str(chosen.steps), commit()) in {key(row) for row in rows(chosen.out)}:
            continue
        with chosen.out.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(measured(name, chosen.steps))
    for column in ("more_tensors", "more_kib"):
        most = max(rows(chosen.out), key=lambda row: int(row[column]))
        print(f"largest {column}: {most[column]}, of {most['regularizer']!r} in {most['steps']} steps")


def rows(path: Path) -> list[dict[str, str]]:
    """All rows of a file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def key(row: dict[str, str]) -> tuple[str, str, str]:
    """What a row is about."""
    return row["regularizer"], row["steps"], row["commit"]


if __name__ == "__main__":
    main()
