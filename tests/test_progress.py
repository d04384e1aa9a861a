"""Bars on terminals, for what takes long; nothing elsewhere."""

import importlib
import io
import sys
import time

import pytest

from interpreg import _progress
from interpreg._progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_not_shown_is_not_touched() -> None:
    items = [1, 2]
    assert progress(items, "counting", shown=False) is items


@pytest.mark.parametrize(("delay", "screen", "expected"), [(0.0, Terminal, True), (60.0, Terminal, False),
                                                              (0.0, io.StringIO, False)])  # fmt: skip
def test_a_bar_appears_on_a_terminal_after_a_while(monkeypatch, delay, screen, expected) -> None:
    monkeypatch.setattr(_progress, "DELAY_SECONDS", delay)
    monkeypatch.setattr(sys, "stderr", screen())
    values = []
    for item in progress(iter([1, 2, 3]), "counting", total=3):
        values.append(item)
        time.sleep(0.15)
    assert (values, "counting" in sys.stderr.getvalue()) == ([1, 2, 3], expected)


def test_without_tqdm_there_is_no_bar_and_no_harm(monkeypatch) -> None:
    def missing(name: str):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert list(progress(range(3), "counting")) == [0, 1, 2]
