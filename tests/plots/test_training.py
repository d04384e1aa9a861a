"""Training curves: the logged values, averaged as said, on an axis that fits them."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from pictures import history

from interpreg.plots import training_curves


def log(**losses: list[float]) -> list[dict[str, float]]:
    """Entries at steps 10, 20, ..."""
    rows = zip(*losses.values(), strict=True)
    return [{"step": 10 * i} | dict(zip(losses, row, strict=True)) for i, row in enumerate(rows, 1)]


def test_without_averaging_the_lines_are_the_logged_values() -> None:
    entries = history()
    ax = training_curves(entries, smooth=1)
    assert len(ax.lines) == 2
    for line, name in zip(ax.lines, ("reconstruction", "critic"), strict=True):
        np.testing.assert_allclose(line.get_xydata(), [[entry["step"], entry[name]] for entry in entries])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["reconstruction", "critic"]


@pytest.mark.parametrize(("window", "expected"), [
    (1, [1, 2, 6, 4, 12]),
    (3, [1.5, 3, 4, 22 / 3, 8]),  # fewer at the ends
    (2, [1.5, 4, 5, 8, 12]),  # each and the next
    (99, [5, 5, 5, 5, 5]),
])  # fmt: skip
def test_averages_around_each_value(window: int, expected: list[float]) -> None:
    ax = training_curves(log(a=[1, 2, 6, 4, 12]), smooth=window)
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), expected)
    if window > 1:
        np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 2, 6, 4, 12])
        assert ax.lines[0].get_alpha() < ax.lines[-1].get_linewidth()


def test_gaps_stay_gaps_and_do_not_spread() -> None:
    ax = training_curves(log(a=[1, 2, torch.nan, 4, torch.inf]), smooth=3)
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [1.5, 1.5, np.nan, 4, np.nan])
    assert ax.get_yscale() == "log"
    ax.figure.draw_without_rendering()


def test_a_loss_that_was_not_logged_at_a_step_is_no_gap() -> None:
    ax = training_curves([{"step": 1, "a": 1.0}, {"step": 2, "a": 2.0, "b": torch.tensor(3)}, {"step": 3, "b": 4}])
    assert ax.lines[0].get_xydata().tolist() == [[1, 1], [2, 2]]
    assert ax.lines[1].get_xydata().tolist() == [[2, 3], [3, 4]]


@pytest.mark.parametrize(("values", "asked", "scale"), [
    ([1.0, 0.1], True, "log"),
    ([1.0, 0.0], True, "symlog"),
    ([1.0, -1.0], True, "symlog"),
    ([0.0, 0.0], True, "linear"),
    ([torch.nan, torch.nan], True, "linear"),
    ([1.0, 0.1], False, "linear"),
    ([1e-9, 1e9], True, "log"),
])  # fmt: skip
def test_the_axis_fits_the_signs(values: list[float], asked: bool, scale: str) -> None:
    ax = training_curves(log(a=values), log=asked)
    assert ax.get_yscale() == scale
    ax.figure.draw_without_rendering()


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    ax = training_curves(log(a=[0.03, 0.7]))
    ax.figure.draw_without_rendering()
    texts = [label.get_text() for label in ax.get_yticklabels() + ax.get_yticklabels(minor=True)]
    assert {"0.1", "0.05", "0.2", "0.5"} <= set(texts)


def test_runs_share_colours_and_differ_in_dashes() -> None:
    first, second = history(), [{"step": e["step"], "critic": e["critic"]} for e in history(0.5)]
    ax = training_curves({"plain": first, "ACAI": second}, smooth=1)
    reconstruction, critic, other = ax.lines
    assert critic.get_color() == other.get_color() != reconstruction.get_color()
    assert reconstruction.get_linestyle() == critic.get_linestyle() != other.get_linestyle()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["reconstruction", "critic", "plain", "ACAI"]


@pytest.mark.parametrize(("entries", "others", "message"), [
    ({}, {}, "history: expected at least one run, got none"),
    ([], {}, "history: expected at least one logged loss, got none"),
    ({"a": []}, {}, r"history\['a'\]: expected at least one logged loss"),
    ([{"step": 1}], {}, "history: expected at least one logged loss"),
    ("abc", {}, "history: expected a list of dicts, got 'abc'"),
    ({"step": 1, "a": 2.0}, {}, r"history\['step'\]: expected a list of dicts, got 1"),
    ([1.0], {}, r"history\[0\]: expected a dict, got 1.0"),
    ([{"step": 1, "a": 1.0}, {"a": 1.0}], {}, r"history\[1\]: expected an entry with 'step', got 'a'"),
    ([{"step": 1, "a": "1"}], {}, r"history\[0\]\['a'\]: expected a number, got '1'"),
    ([{"step": 1, "a": torch.zeros(2)}], {}, r"history\[0\]\['a'\]: expected a number, got a torch.float32"),
    ({"r": [{"step": None, "a": 1}]}, {}, r"history\['r'\]\[0\]\['step'\]: expected a number, got None"),
    ([{"step": 1, "a": 1.0}], {"smooth": 0}, "smooth: expected an int of at least 1"),
    ([{"step": 1, "a": 1.0}], {"smooth": 2.5}, "smooth: expected an int, got 2.5"),
])  # fmt: skip
def test_bad_input_is_named_before_anything_is_drawn(entries, others, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        training_curves(entries, **others)
    assert pyplot.get_fignums() == []
