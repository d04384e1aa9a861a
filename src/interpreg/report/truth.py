"""Measures and curves where the images in between are known: rings of views (AEAI, Figs 6 to 8)."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interpreg.functional import path
from interpreg.metrics import (
    ErrorByInterval,
    InterpolationError,
    RetrievedAlpha,
    interpolation_error,
    intervals,
    retrieved_alpha,
)
from interpreg.report.data import Rings
from interpreg.report.measure import Measure
from interpreg.report.subject import Subject

INTERVAL = 2 / 9  # of a whole turn: the paper's 80 degrees
RETRIEVAL = 7 / 36  # the paper's 70 degrees
FADE = "cross-fade"
Walk = Callable[[Tensor, Tensor, int], Tensor]  # from ends to ends, in so many steps


class Curves(NamedTuple):
    """What is drawn, of the networks, by their name, and of cross-fades, by "cross-fade"."""

    by_alpha: dict[str, InterpolationError]
    """Over intervals of two ninths of a turn, the paper's 80 degrees."""
    by_interval: dict[str, ErrorByInterval]
    """Up to that length."""
    retrieved: dict[str, RetrievedAlpha]
    """Over seven thirty-sixths of a turn, the paper's 70 degrees."""

    def numbers(self) -> dict[str, Any]:
        """All of them as lists and plain numbers."""
        return {
            curve: {method: _plain(vars(result)) for method, result in results.items()}
            for curve, results in self._asdict().items()
        }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    lists = {name: value.tolist() if isinstance(value, Tensor) else value for name, value in values.items()}
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in lists.items()
    }


def curves(subject: Subject, name: str) -> Curves | None:
    """The errors against the views in between, or None where nothing is known about them."""
    rings = subject.rings
    if rings is None:
        return None
    found = Curves({}, {}, {})
    views = rings.rows.shape[1]
    whole = views if rings.closed else views - 1
    long, retrieval = (max(3, min(views, round(share * whole) + 1)) for share in (INTERVAL, RETRIEVAL))
    everything, progress = subject.everything, subject.settings.progress
    assert everything.parameters is not None
    methods: dict[str, tuple[Tensor, Walk]] = {name: (subject.all_codes, subject.walk), FADE: (everything.x, path)}
    for method, (ends, walk) in methods.items():
        found.by_alpha[method] = interpolation_error(*_walked(ends, walk, subject, rings, long)[:2])
        found.by_interval[method] = _by_interval(ends, walk, subject, rings, long)
        walked, _, table = _walked(ends, walk, subject, rings, retrieval)
        start, end = everything.parameters[table[:, 0]], everything.parameters[table[:, -1]]
        known = everything.x, everything.parameters, start, end
        period = everything.period or None
        found.retrieved[method] = retrieved_alpha(walked, *known, period=period, progress=progress)
    return found


def measures(found: Curves, name: str) -> Iterator[Measure]:
    """The curves' means."""
    group = "Against the real images in between"
    fade, model = (
        (c.by_alpha[m].overall, c.retrieved[m].error, c.retrieved[m].spread, c.retrieved[m].outside,
         c.retrieved[m].distance_error) for c, m in ((found, FADE), (found, name))
    )  # fmt: skip
    longest = found.by_interval[name]
    rows = (
        ("interpolation_error", "interpolation error",
         f"mean squared, over intervals of {longest.length[-1]:g} {longest.unit} (AEAI, Fig. 6)"),
        ("retrieved_alpha_error", "error of the retrieved coefficient",
         f"of the nearest real image, over {found.retrieved[name].interval:g} {longest.unit} (AEAI, Fig. 7)"),
        ("retrieved_alpha_spread", "its interquartile range", "mean over the coefficients"),
        ("retrieved_outside", "retrieved outside of the interval", "share of images"),
        ("parameter_distance_error", "error in parameter space",
         "distance to both ends against the perfect one, as a share of the interval (AEAI, Fig. 8)"),
    )  # fmt: skip
    for (key, title, note), value, other in zip(rows, model, fade, strict=True):
        yield Measure(group, key, title, value, "0", note, other)


def _walked(ends: Tensor, walk: Walk, subject: Subject, rings: Rings, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Paths over intervals of ``count`` views, all or as many as pairs, the real views, and their indices."""
    table = rings.rows[:, intervals(rings.rows.shape[1], count, closed=rings.closed)].flatten(0, 1)
    most = subject.settings.pairs
    if len(table) > most:
        table = table[torch.linspace(0, len(table) - 1, most).round().long()]
    return walk(ends[table[:, 0]], ends[table[:, -1]], count), subject.everything.x[table], table


def _by_interval(ends: Tensor, walk: Walk, subject: Subject, rings: Rings, longest: int) -> ErrorByInterval:
    """Up to eight lengths, of the same rings."""
    counts = sorted({round(n) for n in torch.linspace(min(4, longest), longest, 8).tolist()})
    errors = [interpolation_error(*_walked(ends, walk, subject, rings, count)[:2]) for count in counts]
    spreads = [
        (e.std.square() + (e.mean - e.overall).square()).mean().sqrt() for e in errors
    ]  # over images and paths
    return ErrorByInterval(
        length=torch.tensor([(count - 1) * rings.step for count in counts], dtype=torch.float64),
        mean=torch.tensor([e.overall for e in errors], dtype=torch.float64),
        std=torch.stack(spreads),
        unit=rings.unit,
    )
