"""What a diagnosis returns: findings, and the gradients of all terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, overload

from typing_extensions import override


class Finding(NamedTuple):
    """One thing that is wrong."""

    kind: str
    """A short name that does not change, such as ``"optimizer_misses"``."""
    severity: Literal["error", "warning"]
    """"error": something does not train, or is not what it seems; "warning": it trains, probably not as intended."""
    message: str
    remedy: str


class TermGradients(NamedTuple):
    """A term, and the norms of its weighted loss's gradient at the trained parameters of each player."""

    name: str
    weight: float
    value: float
    """Before the weight; 0 where that is 0 and the term is not computed."""
    encoder: float | None
    """None where the term does not reach the player's parameters."""
    decoder: float | None
    critic: float | None


@dataclass(frozen=True, repr=False)
class Diagnosis(Sequence[Finding]):
    """The findings of :func:`interpreg.diagnose`, a sequence that is empty (and false) where nothing is wrong.

    ``print(diagnosis)`` says them in words, with a table of all terms.
    """

    findings: tuple[Finding, ...]
    terms: tuple[TermGradients, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the findings, in order."""
        return tuple(finding.kind for finding in self.findings)

    @override
    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...
    @override
    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    @override
    def __str__(self) -> str:
        lines = ["nothing is wrong" if not self else f"{len(self)} found:"]
        for f in self.findings:
            lines += ["", f"{f.severity}, {f.kind}", f"    {f.message}", f"    -> {f.remedy}"]
        if self.terms:
            lines += ["", *_table(self.terms)]
        return "\n".join(lines)

    __repr__ = __str__


def _table(terms: Sequence[TermGradients]) -> list[str]:
    """A row a term: weight, value, and its gradient at each player."""
    rows = [["term", "weight", "value", "gradient at encoder", "decoder", "critic"]]
    rows += [[term.name, *map(_number, term[1:])] for term in terms]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
