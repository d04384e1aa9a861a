"""Warnings that point at the line of the user."""

import sys
import warnings

_INSIDE = ("interpreg", "torch", "contextlib")


def warn(message: str) -> None:
    """Warn at the first caller outside of this package and of torch."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
