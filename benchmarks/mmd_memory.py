"""One training step in a process of its own: its extra peak memory in bytes, and its seconds, as JSON.

The high-water mark of ``getrusage`` cannot be used: a child inherits its parent's, and importing torch raises it. Linux
can lower the mark to the resident memory, which is done just before the step; elsewhere, or without the permission, the
memory is unknown. Freed tensors are returned to the system at once (``ENVIRONMENT``), because the step would otherwise
reuse the memory of the warm-up.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from clock import seconds
from mmd_peers import CONTESTANTS, data, step, widths_of

ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
TINY = 32


def alone(name: str, threads: int, n: int, d: int, widths: str, device: str) -> tuple[float | None, float]:
    """Bytes and seconds of one step, from a fresh process."""
    command = [sys.executable, __file__, name, threads, n, d, widths, device]
    run = subprocess.run(
        list(map(str, command)), env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    )
    extra, took = json.loads(run.stdout.splitlines()[-1])
    return extra, took


def measure(name: str, n: int, d: int, widths: tuple[float, ...], device: str) -> tuple[float | None, float]:
    """Bytes and seconds of one step in this process; compiled code is warmed up with the same size."""
    step(name, *data(n if CONTESTANTS[name].compiled else TINY, d, device), widths, "train")()
    call = step(name, *data(n, d, device), widths, "train")
    before = _lower_the_mark(device)
    took = seconds(call, device)
    return None if before is None else max(0, _mark(device) - before), took


def _lower_the_mark(device: str) -> int | None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _mark(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    name, threads, n, d, widths, device = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(json.dumps(measure(name, int(n), int(d), widths_of(widths, int(d)), device)))
