"""Progress bars for what takes longer than a moment, on a terminal and where tqdm is installed."""

import importlib
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")
DELAY = 2.0  # seconds before a bar appears


def progress(
    items: Iterable[Item], description: str, *, shown: bool = True, total: int | None = None
) -> Iterable[Item]:
    """The same items, with a bar that appears on a terminal after ``DELAY`` seconds, if ``shown``."""
    if not shown:
        return items
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, desc=description, total=total, delay=DELAY, disable=None)
    return bar
