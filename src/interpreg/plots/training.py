"""Curves of the training losses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[Mapping[str, Any]]
Numbers = NDArray[np.float64]


def training_curves(
    history: History | Mapping[str, History],
    *,
    log: bool = True,
    smooth: int | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw losses against the training step, one colour a loss, one kind of dashes a run.

    Args:
        history: what was logged: dicts ``{"step": int, name: float, ...}``; or such a list for each of several runs.
        log: a logarithmic axis for the losses; symmetrically logarithmic where some are not positive.
        smooth: number of logged values around a step that are averaged; the values themselves are drawn faintly.
            A fortieth of the longest run when not given, 1 for no averaging.
        ax: where to draw; a new figure when not given.

    Returns:
        The axes. A value that is not finite leaves a gap; a loss that an entry lacks was not logged at its step.

    Raises:
        TypeError: a history that is no list of dicts, a loss that is no number, an argument of the wrong type.
        ValueError: nothing logged, an entry without "step", a ``smooth`` below 1.
        ImportError: matplotlib is not installed.
    """
    runs = _checked(history)
    longest = max(len(steps) for losses in runs.values() for steps, _ in losses.values())
    window = max(1, longest // 40) if smooth is None else _checks.as_count("smooth", smooth, low=1)
    ax = _canvas.canvas(ax, "training_curves", 5.4, 3.2)
    names = list(dict.fromkeys(name for losses in runs.values() for name in losses))
    styles = {n: style | _canvas.MARKER_STYLE for n, style in zip(names, _canvas.line_styles(), strict=False)}
    dashes = dict(zip(runs, (style["linestyle"] for style in _canvas.line_styles()), strict=False))
    for run, losses in runs.items():
        for name, (steps, values) in losses.items():
            style = styles[name] | ({"linestyle": dashes[run]} if len(runs) > 1 else {})
            if window > 1:
                ax.plot(steps, values, color=style["color"], alpha=0.25, linewidth=0.7)
            every = max(1, len(steps) // 8)
            ax.plot(steps, _smoothed(values, window), **style, linewidth=1.5, markevery=(every // 2, every))
    if log:
        _logarithmic(ax, np.concatenate([values for losses in runs.values() for _, values in losses.values()]))
    _canvas.label(ax, "step", "loss")

    line = optional_import("matplotlib.lines", "plot", "training_curves").Line2D
    several = len(runs) > 1
    dashed = {"linestyle": "-"} if several else {}
    handles = [line([], [], **(styles[name] | dashed), label=name) for name in names]
    if several:
        handles += [line([], [], color="0.35", linestyle=dashes[run], label=run) for run in runs]
    _canvas.legend(ax, handles=handles)
    return ax


def _checked(history: Any) -> dict[str, dict[str, tuple[Numbers, Numbers]]]:
    """For each run, for each loss, its steps and values."""
    runs = {}
    for run, where, entries in _canvas.methods("history", history, "run"):
        if isinstance(entries, (str, Mapping)) or not isinstance(entries, Sequence):
            raise TypeError(f"{where}: expected a list of dicts, got {_checks.describe(entries)}")
        losses: dict[str, tuple[list[float], list[float]]] = {}
        for i, entry in enumerate(entries):
            if not isinstance(entry, Mapping):
                raise TypeError(f"{where}[{i}]: expected a dict, got {_checks.describe(entry)}")
            if "step" not in entry:
                raise ValueError(f"{where}[{i}]: expected an entry with 'step', got {', '.join(map(repr, entry))}")
            step = _number(f"{where}[{i}]['step']", entry["step"])
            for name, value in entry.items():
                if name != "step":
                    steps, values = losses.setdefault(name, ([], []))
                    steps.append(step)
                    values.append(_number(f"{where}[{i}][{name!r}]", value))
        if not losses:
            raise ValueError(f"{where}: expected at least one logged loss, got none")
        runs[str(run)] = {name: (np.asarray(s), np.asarray(v)) for name, (s, v) in losses.items()}
    return runs


def _number(name: str, value: Any) -> float:
    try:
        number = float(value) if not isinstance(value, (str, bytes)) else None
    except (TypeError, ValueError, RuntimeError):
        number = None
    if number is None:
        raise TypeError(f"{name}: expected a number, got {_checks.describe(value)}")
    return number if np.isfinite(number) else np.nan


def _smoothed(values: Numbers, window: int) -> Numbers:
    """The mean of the finite values around each, of fewer near the ends; NaN stays NaN."""
    finite = np.isfinite(values)
    reach = (window - 1) // 2, window // 2
    sums = np.concatenate([[0.0], np.where(finite, values, 0).cumsum()])
    counts = np.concatenate([[0.0], finite.cumsum()])
    first = (np.arange(len(values)) - reach[0]).clip(0)
    last = (np.arange(len(values)) + reach[1] + 1).clip(max=len(values))
    means = (sums[last] - sums[first]) / np.maximum(counts[last] - counts[first], 1)
    return np.asarray(np.where(finite, means, np.nan))


def _logarithmic(ax: "Axes", values: Numbers) -> None:
    """A logarithmic axis; symmetrically logarithmic where some values are not positive; linear where all are 0."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(sizes):
        return
    if (values[np.isfinite(values)] > 0).all():
        ax.set_yscale("log")
        between = "25" if sizes.max() < 100 * sizes.min() else ""  # ticks of a short axis that get a number, too
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in between else "")
    else:
        ax.set_yscale("symlog", linthresh=10.0 ** np.floor(np.log10(np.median(sizes)) - 1))
