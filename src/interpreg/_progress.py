"""Progress bars of long loops, on a terminal and where tqdm is installed."""

import importlib
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")
DELAY_SECONDS = 2.0  # before a bar appears


def progress(
    items: Iterable[Item], description: str, *, shown: bool = True, total: int | None = None
) -> Iterable[Item]:
    """The same items, with a bar that appears on a terminal after ``DELAY_SECONDS``, if ``shown``."""
    if not shown:
        return items
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, desc=description, total=total, delay=DELAY_SECONDS, disable=None)
    return bar
