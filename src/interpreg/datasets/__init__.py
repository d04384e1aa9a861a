"""Data to look at interpolation with: generated on any device, or carried by a package."""

from interpreg.datasets import digits, lines

__all__ = ["digits", "lines"]
