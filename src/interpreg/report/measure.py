"""One line of a report."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A measure, its value or why it has none, and what the value can be held against.

    Attributes:
        group: the part of the report that it belongs to.
        key: its name in the JSON file.
        name: its name in the table.
        value: a number, whole where it is a count; None where it is undefined.
        undefined: why it is; "" where there is a value, so a measure can be given its reason beforehand.
        best: what the best value is, "0", "1", "lower" or "higher"; "" where there is none.
        fade: the same measure of cross-fades of the data itself, None where that means nothing.
        note: what it says, in a sentence.
    """

    group: str
    key: str
    name: str
    value: float | int | None
    best: str = ""
    note: str = ""
    fade: float | None = None
    undefined: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and math.isnan(self.value):
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "undefined", self.undefined or "no sample defines it")
        if self.value is not None:
            object.__setattr__(self, "undefined", "")
        if self.fade is not None and math.isnan(self.fade):
            object.__setattr__(self, "fade", None)
        if self.value is None and not self.undefined:
            raise ValueError(f"undefined: expected a reason, because {self.key} has no value, got ''")

    def shown(self) -> str:
        """The value as text."""
        return "undefined" if self.value is None else number(self.value)


def number(value: float | int) -> str:
    """A number in the digits that one can read: counts whole, the rest with four."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3e}" if value != 0 and not 1e-3 <= abs(value) < 1e5 else f"{value:.4f}"
