"""Several gloo processes for a test, with a deadline."""

import gc
import socket
import time
import warnings
from collections.abc import Callable

import pytest
from torch import distributed, multiprocessing

PATIENCE = 180  # seconds


def spawn(work: Callable[..., None], world: int, *args: object) -> None:
    """Run ``work(rank, world, *args)`` in ``world`` processes of one group; fail if they do not finish."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = multiprocessing.spawn(_enter, (world, port, work, args), nprocs=world, join=False)
    deadline = time.monotonic() + PATIENCE
    while not processes.join(timeout=1):
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            pytest.fail(f"the processes did not finish within {PATIENCE} seconds")


def _enter(rank: int, world: int, port: int, work: Callable[..., None], args: tuple[object, ...]) -> None:
    warnings.simplefilter("ignore")
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    work(rank, world, *args)
    leave()


def leave() -> None:
    """Destroy the process group after, never before, the wrappers that use it.

    A wrapper that holds the last reference joins gloo's threads with the interpreter locked, and they may be
    waiting for the interpreter: a deadlock, now and then.
    """
    gc.collect()
    distributed.destroy_process_group()
