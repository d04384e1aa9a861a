"""One line of a report."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric, its value or the reason for a missing one, and its value for the baseline.

    Attributes:
        group: the part of the report that it belongs to.
        key: its name in the JSON file.
        name: its name in the table.
        value: a number, an int for counts; None where it is undefined.
        best: the best value, "0", "1", "lower" or "higher"; "" where there is none.
        note: the definition, in a sentence.
        baseline: the value of cross-fades of the data; None where it does not apply.
        undefined: the reason for a missing value; "" otherwise. A reason given along with a value is dropped.
    """

    group: str
    key: str
    name: str
    value: float | int | None
    best: str = ""
    note: str = ""
    baseline: float | None = None
    undefined: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and math.isnan(self.value):
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "undefined", self.undefined or "no sample defines it")
        if self.value is not None:
            object.__setattr__(self, "undefined", "")
        if self.baseline is not None and math.isnan(self.baseline):
            object.__setattr__(self, "baseline", None)
        if self.value is None and not self.undefined:
            raise ValueError(f"undefined: expected a reason, because {self.key} has no value, got ''")

    def shown(self) -> str:
        """The value as text."""
        return "undefined" if self.value is None else number(self.value)


def number(value: float | int) -> str:
    """A number as text: counts in full, others with four digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3e}" if value != 0 and not 1e-3 <= abs(value) < 1e5 else f"{value:.4f}"
