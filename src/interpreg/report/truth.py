"""Metrics and curves against the real images in between, from rings of views (AEAI, Figs 6 to 8)."""

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
from interpreg.report import groups
from interpreg.report.data import Rings
from interpreg.report.metric import Metric
from interpreg.report.subject import Subject

ERROR_INTERVAL = 2 / 9  # of a whole turn: the paper's 80 degrees
RETRIEVAL_INTERVAL = 7 / 36  # the paper's 70 degrees
BASELINE = "cross-fade"
GROUP = "Against the real images in between"
PathBetween = Callable[[Tensor, Tensor, int], Tensor]  # of starts, ends and a number of steps


class Curves(NamedTuple):
    """Curves of the model and of cross-fades, each a dictionary by the model's name and by "cross-fade".

    ``by_alpha`` is over intervals of two ninths of a turn (the paper's 80 degrees), ``by_interval`` up to that length;
    ``retrieved`` is over seven thirty-sixths of a turn (the paper's 70 degrees).
    """

    by_alpha: dict[str, InterpolationError]
    by_interval: dict[str, ErrorByInterval]
    retrieved: dict[str, RetrievedAlpha]

    def numbers(self) -> dict[str, Any]:
        """All curves as lists and plain numbers."""
        return {
            curve: {method: _plain(vars(result)) for method, result in results.items()}
            for curve, results in self._asdict().items()
        }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    lists = {name: value.tolist() if isinstance(value, Tensor) else value for name, value in values.items()}
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in lists.items()
    }


def attempted(subject: Subject, name: str) -> tuple[Curves | None, list[Metric]]:
    """The curves and their means; where they fail, none and a metric with the reason."""
    try:
        found = curves(subject, name)
        return found, [] if found is None else list(metrics(found, name))
    except Exception as error:
        reason = groups.failure(error)
        return None, [Metric(GROUP, "interpolation_error", "interpolation error", None, undefined=reason)]


def curves(subject: Subject, name: str) -> Curves | None:
    """The curves, or None where there are no rings."""
    rings = subject.rings
    if rings is None:
        return None
    views = rings.rows.shape[1]
    turn = views if rings.closed else views - 1
    error_views, retrieval_views = (
        max(3, min(views, round(share * turn) + 1)) for share in (ERROR_INTERVAL, RETRIEVAL_INTERVAL)
    )
    everything, result = subject.everything, Curves({}, {}, {})
    assert everything.parameters is not None
    methods: dict[str, tuple[Tensor, PathBetween]] = {
        name: (subject.all_codes, subject.decoded_path),
        BASELINE: (everything.images, path),
    }
    for method, (ends, between) in methods.items():
        result.by_alpha[method] = _error(ends, between, subject, rings, error_views)
        result.by_interval[method] = _by_interval(ends, between, subject, rings, error_views)
        rows = _intervals(subject, rings, retrieval_views)
        result.retrieved[method] = retrieved_alpha(
            between(ends[rows[:, 0]], ends[rows[:, -1]], retrieval_views), everything.images, everything.parameters,
            everything.parameters[rows[:, 0]], everything.parameters[rows[:, -1]], period=everything.period or None,
            progress=subject.settings.progress,
        )  # fmt: skip
    return result


def metrics(curves: Curves, name: str) -> Iterator[Metric]:
    """The means of the curves."""
    by_interval = curves.by_interval[name]
    rows = (
        ("interpolation_error", "interpolation error", curves.by_alpha, "overall",
         f"mean squared, over intervals of {by_interval.length[-1]:g} {by_interval.unit} (AEAI, Fig. 6)"),
        ("retrieved_alpha_error", "error of the retrieved coefficient", curves.retrieved, "error",
         f"of the nearest real image, over {curves.retrieved[name].interval:g} {by_interval.unit} (AEAI, Fig. 7)"),
        ("retrieved_alpha_spread", "its interquartile range", curves.retrieved, "spread", "mean over the coefficients"),
        ("retrieved_outside", "retrieved outside of the interval", curves.retrieved, "outside", "share of images"),
        ("parameter_distance_error", "error in parameter space", curves.retrieved, "distance_error",
         "distance to both ends against the perfect one, as a share of the interval (AEAI, Fig. 8)"),
    )  # fmt: skip
    for key, title, results, attribute, note in rows:
        value, other = (getattr(results[method], attribute) for method in (name, BASELINE))
        yield Metric(GROUP, key, title, value, "0", note, other)


def _intervals(subject: Subject, rings: Rings, count: int) -> Tensor:
    """Indices ``[n, count]`` of all intervals of ``count`` views, at most as many as pairs, evenly chosen."""
    rows = rings.rows[:, intervals(rings.rows.shape[1], count, closed=rings.closed)].flatten(0, 1)
    limit = subject.settings.pairs
    return rows if len(rows) <= limit else rows[torch.linspace(0, len(rows) - 1, limit).round().long()]


def _error(ends: Tensor, between: PathBetween, subject: Subject, rings: Rings, count: int) -> InterpolationError:
    rows = _intervals(subject, rings, count)
    images = between(ends[rows[:, 0]], ends[rows[:, -1]], count)
    return interpolation_error(images, subject.everything.images[rows])


def _by_interval(
    ends: Tensor, between: PathBetween, subject: Subject, rings: Rings, longest: int
) -> ErrorByInterval:
    """The error of up to eight lengths."""
    counts = sorted({round(n) for n in torch.linspace(min(4, longest), longest, 8).tolist()})
    errors = [_error(ends, between, subject, rings, count) for count in counts]
    # of the errors over coefficients and paths: mean of the variances plus variance of the means
    stds = [(e.std.square() + (e.mean - e.overall).square()).mean().sqrt() for e in errors]
    return ErrorByInterval(
        length=torch.tensor([(count - 1) * rings.step for count in counts], dtype=torch.float64),
        mean=torch.tensor([e.overall for e in errors], dtype=torch.float64),
        std=torch.stack(stds),
        unit=rings.unit,
    )
