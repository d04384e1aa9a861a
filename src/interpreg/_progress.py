"""Progress bars: on a terminal, for what takes longer than a moment, where tqdm is installed."""

import importlib
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 2.0  # seconds before a bar appears


def progress(
    items: Iterable[Item], description: str, *, shown: bool = True, total: int | None = None
) -> Iterable[Item]:
    """The same items, with a bar that appears on a terminal after two seconds, if ``shown``."""
    if not shown:
        return items
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:  # a bar is a comfort, not a need
        return items
    bar: Iterable[Item] = tqdm(items, desc=description, total=total, delay=PATIENCE, disable=None)
    return bar
