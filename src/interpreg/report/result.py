"""The report itself: printed as a table, saved as JSON or as a page."""

import json
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

from interpreg._files import as_path, atomic_write
from interpreg.report import truth
from interpreg.report.metric import Metric, number
from interpreg.report.page import page
from interpreg.report.pictures import Picture


@dataclass(frozen=True)
class Report:
    """Metrics, curves and pictures of a model. ``print`` shows the table, a notebook the page.

    Attributes:
        name: of the model.
        metrics: in order, without those that do not apply; an undefined one holds the reason.
        about: the circumstances of the measurement, as texts.
        curves: against the real images in between, by name: of the model and of cross-fades. None where the data have
            no rings of views.
        warnings: what invalidates metrics: a collapse, pixels of another range, a measure or a picture that failed.
    """

    name: str
    metrics: tuple[Metric, ...]
    about: dict[str, str]
    curves: truth.Curves | None
    warnings: tuple[str, ...]
    pictures: tuple[Picture, ...] = field(repr=False, default=())

    def __getitem__(self, key: str) -> float | int | None:
        """The value of a metric by its key, None where it is undefined; ``KeyError`` where it does not apply."""
        for metric in self.metrics:
            if metric.key == key:
                return metric.value
        raise KeyError(f"{key!r}; this report has {', '.join(m.key for m in self.metrics)}")

    def __str__(self) -> str:
        width = max(len(metric.name) for metric in self.metrics) + 2
        lines = [self.name, *(f"! {warning}" for warning in self.warnings)]
        lines += ["", " " * width + f"{'value':>12}{'best':>8}{'cross-fade':>12}"]
        for group, rows in groupby(self.metrics, key=lambda m: m.group):
            lines.append(group)
            for row in rows:
                baseline = "" if row.baseline is None else number(row.baseline)
                reason = f"  {row.undefined}" if row.value is None else ""
                lines.append(f"  {row.name:{width - 2}}{row.shown():>12}{row.best:>8}{baseline:>12}{reason}")
        return "\n".join(line.rstrip() for line in lines)

    def html(self) -> str:
        """The whole page, with its pictures inside."""
        return page(self.name, self.metrics, self.pictures, self.about, self.warnings)

    def _repr_html_(self) -> str:
        return self.html()

    def save_html(self, path: str | Path) -> Path:
        """Write the page, whole or not at all; it opens from disk without anything else."""
        target = as_path("path", path)
        with atomic_write(target) as partial:
            partial.write_text(self.html(), encoding="utf-8")
        return target

    def save_json(self, path: str | Path) -> Path:
        """Write all numbers, whole or not at all; ``null`` stands for undefined."""
        content = {
            "name": self.name,
            "metrics": [asdict(metric) for metric in self.metrics],
            "curves": None if self.curves is None else self.curves.numbers(),
            "warnings": self.warnings,
            "about": self.about,
        }
        target = as_path("path", path)
        with atomic_write(target) as partial:
            partial.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
        return target
