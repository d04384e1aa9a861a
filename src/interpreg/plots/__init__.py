"""Pictures, by matplotlib. Each function takes an ``ax`` and returns it."""

from interpreg.plots.rows import interpolation_rows

__all__ = ["interpolation_rows"]
