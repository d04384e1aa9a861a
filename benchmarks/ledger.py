"""Raw rows in a CSV file, written one by one, so that an interrupted run resumes."""

import csv
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = [
    "contestant", "device", "threads", "n", "d", "bandwidths", "mode", "value", "rounds", "torch", "commit",
    "date", "note",
]  # fmt: skip


class Key(NamedTuple):
    """The subject of a measurement, which is made once for a device and a commit."""

    contestant: str
    threads: int
    n: int
    d: int
    bandwidths: str
    mode: str
    """Either of "eval" and "train", in seconds; or "memory" of a training step, in bytes."""


class Row(NamedTuple):
    """A measurement, or the reason for a missing one."""

    value: float | None
    note: str = ""


class Ledger:
    """The rows of this device and this commit; others stay in the file untouched."""

    def __init__(self, path: Path, device: str) -> None:
        self.path, self.device, self.commit = path, device, commit()
        mine = [r for r in read(path) if (r["device"], r["commit"]) == (self.device, self.commit)]
        self.rows = {key_of(row): row_of(row) for row in mine}

    def add(self, key: Key, value: float | None, rounds: int = 0, note: str = "") -> None:
        """Append a row, to the file at once."""
        self.rows[key] = Row(value, note)
        is_new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if is_new:
                writer.writeheader()
            shown = "" if value is None else f"{value:.0f}" if key.mode == "memory" else f"{value:.6g}"
            writer.writerow(
                key._asdict()
                | {"device": self.device, "value": shown, "rounds": rounds, "torch": torch.__version__}
                | {"commit": self.commit, "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "note": note}
            )

    def predicted(self, key: Key) -> float:
        """Quadratic in n, from the next smaller n that was measured; 0 where there is none."""
        smaller = {k.n: row.value for k, row in self.rows.items() if k.n < key.n and k == key._replace(n=k.n)}
        known = [n for n, value in smaller.items() if value is not None]
        return smaller[max(known)] * (key.n / max(known)) ** 2 if known else 0.0


def read(path: Path) -> list[dict[str, str]]:
    """All rows; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def key_of(row: dict[str, str]) -> Key:
    return Key(
        row["contestant"], int(row["threads"]), int(row["n"]), int(row["d"]), row["bandwidths"], row["mode"]
    )


def row_of(row: dict[str, str]) -> Row:
    return Row(float(row["value"]) if row["value"] else None, row["note"])


def commit() -> str:
    """The last commit that changed the measured code, with a plus if there are later changes."""
    paths = ["--", "src", ":(glob)benchmarks/*.py"]
    last, changed = (
        subprocess.run(["git", *command, *paths], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        for command in (["log", "-1", "--format=%h"], ["status", "--porcelain"])
    )
    return (last or "unknown") + "+" * bool(changed)


def device_name(device: str) -> str:
    """The name by the maker."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
