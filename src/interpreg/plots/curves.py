"""Curves of interpolation measures against the coefficient or the interval, one line a method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from interpreg import _checks
from interpreg.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from interpreg.metrics import ErrorByInterval, InterpolationError, RetrievedAlpha

Numbers = NDArray[np.float64]
FIGURE_INCHES = (4.6, 3.2)
PERFECT_STYLE: dict[str, Any] = {"color": "0.35", "linestyle": (0, (4, 3)), "linewidth": 1.2}
X_ALPHA = r"coefficient $\alpha$"


def error_by_alpha(
    results: "Mapping[str, InterpolationError] | InterpolationError", ax: "Axes | None" = None
) -> "Axes":
    """Draw the error of interpolated images against the coefficient; AEAI's figures 6 (left, middle) and 14.

    Args:
        results: an object with tensors ``alpha``, ``mean`` and ``std``, ``[s]`` each: the mean squared error and
            its standard deviation over pairs; or one a method. The band is mean ± std, cut off at 0.
        ax: where to draw; a new figure when not given.

    Returns:
        The axes. A value that is not finite leaves a gap.

    Raises:
        TypeError: a result without one of the attributes, or whose attribute holds no numbers.
        ValueError: no results, or attributes that are not one-dimensional and of one length.
        ImportError: matplotlib is not installed.
    """
    curves = _checked(results, ("alpha", "mean", "std"))
    return _error_curves(_canvas.canvas(ax, "error_by_alpha", *FIGURE_INCHES), curves, X_ALPHA)


def error_by_interval(
    results: "Mapping[str, ErrorByInterval] | ErrorByInterval", ax: "Axes | None" = None
) -> "Axes":
    """Draw the error of interpolated images against the interval's length; AEAI's figures 6 (right) and 14 (bottom).

    Args:
        results: an object with tensors ``length``, ``mean`` and ``std``, ``[k]`` each, and a text ``unit``; or one
            a method, all of one unit. The band is mean ± std, cut off at 0.
        ax: where to draw; a new figure when not given.

    Returns, raises: as :func:`error_by_alpha`.
    """
    curves = _checked(results, ("length", "mean", "std"), ("unit",))
    units = {str(result.unit) for _, _, result in _canvas.methods("results", results)}
    if len(units) > 1:
        raise ValueError(f"results: expected lengths of one unit, got {', '.join(map(repr, sorted(units)))}")
    unit = units.pop()
    label = f"interval length ({unit})" if unit else "interval length"
    return _error_curves(_canvas.canvas(ax, "error_by_interval", *FIGURE_INCHES), curves, label)


def retrieved_alpha(results: "Mapping[str, RetrievedAlpha] | RetrievedAlpha", ax: "Axes | None" = None) -> "Axes":
    """Draw the coefficient of the nearest true image against the one interpolated with; AEAI's figures 7 and 15.

    Args:
        results: an object with tensors ``alpha``, ``median``, ``low`` and ``high``, ``[s]`` each: dots for the
            medians, a band between the quartiles; or one a method. The dashed diagonal is perfect.
            Coefficients beyond the ends are shown too.
        ax: where to draw; a new figure when not given.

    Returns, raises: as :func:`error_by_alpha`.
    """
    curves = _checked(results, ("alpha", "median", "low", "high"))
    ax = _canvas.canvas(ax, "retrieved_alpha", 3.6, 3.5)
    ax.plot([0, 1], [0, 1], **PERFECT_STYLE, label="perfect")
    _lines_with_bands(ax, curves)
    _canvas.label(ax, X_ALPHA, r"retrieved $\alpha$")
    _canvas.legend(ax, "upper left", beside=False)
    heights = np.concatenate([np.concatenate(vectors[1:]) for vectors in curves.values()])
    heights = heights[np.isfinite(heights)]
    low, high = heights.min(initial=0.0), heights.max(initial=1.0)
    square = high - low <= 1.5
    ax.set(xlim=(-0.03, 1.03), ylim=(low - 0.03, high + 0.03), aspect="equal" if square else "auto")
    return ax


def parameter_distance(
    results: "Mapping[str, RetrievedAlpha] | RetrievedAlpha", ax: "Axes | None" = None
) -> "Axes":
    """Draw how far, in the data's true parameters, interpolated images are from both ends; AEAI's figure 8.

    Args:
        results: an object with tensors ``alpha``, ``from_start`` and ``to_end``, ``[s]`` each, and ``interval``,
            the ends' distance in the same units; or one a method. The dashed straight lines,
            ``alpha * interval`` and ``(1 - alpha) * interval``, are perfectly even.
        ax: where to draw; a new figure when not given.

    Returns, raises: as :func:`error_by_alpha`; ``interval`` is a positive number.
    """
    curves = _checked(results, ("alpha", "from_start", "to_end"), ("interval",))
    named = _canvas.methods("results", results)
    intervals = {_checks.as_number(f"{title}.interval", result.interval) for _, title, result in named}
    ax = _canvas.canvas(ax, "parameter_distance", *FIGURE_INCHES)
    for i, interval in enumerate(sorted(intervals)):
        ax.plot([0, 1], [0, interval], **PERFECT_STYLE, label="_" if i else "perfectly even")
        ax.plot([0, 1], [interval, 0], **PERFECT_STYLE)
    several = len(curves) > 1
    styles = _canvas.line_styles()
    for name, (x, start, end) in curves.items():
        first = _canvas.MARKER_STYLE | _thinned(len(x)) | next(styles)
        hollow = {"markerfacecolor": "white", "markeredgecolor": first["color"], "markeredgewidth": 1.0}
        last = first | (hollow if several else next(styles))
        ax.plot(x, start, **first, label=name if several else "from the start")
        ax.plot(x, end, **last, label="_" if several else "to the end")
    if several:
        dot: dict[str, Any] = {"color": "0.35", "linestyle": "none", "marker": "o", "markersize": 4.5}
        ax.plot([], [], **dot, label="from the start")
        ax.plot([], [], **dot, markerfacecolor="white", label="to the end")
    _canvas.label(ax, X_ALPHA, "distance in parameters")
    ax.set_ylim(bottom=0)
    _canvas.legend(ax)
    return ax


def _checked(results: object, fields: Sequence[str], others: Sequence[str] = ()) -> dict[str, list[Numbers]]:
    """For each method its fields as vectors of one length, NaN where they are not finite."""
    curves: dict[str, list[Numbers]] = {}
    needed = (*fields, *others)
    for name, title, result in _canvas.methods("results", results):
        for field in needed:
            if not hasattr(result, field):
                got = f"{_checks.describe(result)} without {field!r}"
                raise TypeError(f"{title}: expected an object with {', '.join(needed)}, got {got}")
        vectors = [_vector(f"{title}.{field}", getattr(result, field)) for field in fields]
        lengths = {len(vector) for vector in vectors}
        if len(lengths) > 1 or 0 in lengths:
            sizes = ", ".join(f"{field} [{len(v)}]" for field, v in zip(fields, vectors, strict=True))
            raise ValueError(f"{title}: expected vectors of one length, at least 1, got {sizes}")
        curves[name] = vectors
    return curves


def _vector(name: str, value: Any) -> Numbers:
    vector = _canvas.as_tensor(name, value).double()
    if vector.ndim != 1:
        raise ValueError(f"{name}: expected a vector, got shape {tuple(vector.shape)}")
    return np.asarray(vector.where(vector.isfinite(), torch.nan).numpy())


def _thinned(n: int) -> dict[str, Any]:
    """Markers on every point of a short line, on some of a long one."""
    return {"markevery": max(1, n // 20), "linewidth": 1.5}


def _error_curves(ax: "Axes", errors: Mapping[str, Sequence[Numbers]], x_label: str) -> "Axes":
    """A line a method and a band of one standard deviation, from ``(x, mean, std)``."""
    _lines_with_bands(ax, {name: (x, y, (y - s).clip(0), y + s) for name, (x, y, s) in errors.items()})
    _canvas.label(ax, x_label, "mean squared error")
    if len(errors) > 1:
        _canvas.legend(ax)
    ax.set_ylim(bottom=0)
    return ax


def _lines_with_bands(ax: "Axes", curves: Mapping[str, Sequence[Numbers]]) -> None:
    """A line a method and its band, from ``(x, y, low, high)``."""
    alpha = 0.15 if len(curves) <= 3 else 0.08
    for (name, (x, y, low, high)), style in zip(curves.items(), _canvas.line_styles(), strict=False):
        ax.fill_between(x, low, high, color=style["color"], alpha=alpha, linewidth=0)
        ax.plot(x, y, **_canvas.MARKER_STYLE, **_thinned(len(x)), **style, label=name or "_")
