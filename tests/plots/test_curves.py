"""Curves: lines, bands and reference lines carry the given numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_hex
from pictures import ALPHA, LENGTH, distances, errors, history, interval_errors, retrieved

from interpreg.plots import error_by_alpha, error_by_interval, parameter_distance, retrieved_alpha, training_curves

EVERY = [
    (error_by_alpha, errors(1)), (error_by_interval, interval_errors(1)), (retrieved_alpha, retrieved(0.1)),
    (parameter_distance, distances(0.1)), (training_curves, history()),
]  # fmt: skip


def band(ax, index: int, x) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits of a band at ``x``."""
    corners = np.concatenate([path.vertices for path in ax.collections[index].get_paths()])
    at = [corners[np.isclose(corners[:, 0], value), 1] for value in np.asarray(x)]
    return np.array([y.min() for y in at]), np.array([y.max() for y in at])


@pytest.mark.parametrize(("draw", "make", "x", "label"), [
    (error_by_alpha, errors, ALPHA, r"coefficient $\alpha$"),
    (error_by_interval, interval_errors, LENGTH, "interval length (degrees)"),
])  # fmt: skip
def test_errors_are_lines_with_bands_of_one_deviation(draw, make, x, label: str) -> None:
    results = {"AEAI": make(0.4), "ACAI": make(2)}
    ax = draw(results)
    for i, (name, result) in enumerate(results.items()):
        np.testing.assert_allclose(ax.lines[i].get_xydata(), torch.stack([x, result.mean], 1))
        assert ax.lines[i].get_label() == name
        low, high = band(ax, i, x)
        np.testing.assert_allclose(low, (result.mean - result.std).clamp(min=0))
        np.testing.assert_allclose(high, result.mean + result.std)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["AEAI", "ACAI"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (label, "mean squared error")
    assert ax.get_ylim()[0] == 0


def test_a_deviation_above_the_mean_is_cut_off_at_nothing() -> None:
    result = errors(1)
    result.std = 2 * result.mean
    low, _ = band(error_by_alpha(result), 0, ALPHA)
    assert (low == 0).all()


def test_retrieved_alphas_are_medians_between_quartiles_along_the_diagonal() -> None:
    results = {"AEAI": retrieved(0.02), "AMR": retrieved(-0.1)}
    ax = retrieved_alpha(results)
    diagonal, *lines = ax.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert diagonal.get_linestyle() != "-"
    for i, (line, result) in enumerate(zip(lines, results.values(), strict=True)):
        np.testing.assert_allclose(line.get_xydata(), torch.stack([ALPHA, result.median], 1))
        low, high = band(ax, i, ALPHA)
        np.testing.assert_allclose(low, result.low)
        np.testing.assert_allclose(high, result.high)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["perfect", "AEAI", "AMR"]


@pytest.mark.parametrize("several", [False, True])
def test_distances_go_up_and_down_beside_the_straight_lines(several: bool) -> None:
    results = {"AEAI": distances(0.02), "AMR": distances(-0.1, 35)} if several else {"": distances(0.02)}
    ax = parameter_distance(results if several else results[""])
    dashed, lines = ax.lines[: 2 * len(results)], ax.lines[2 * len(results) :]
    perfect = [line.get_xydata().tolist() for line in dashed]
    for interval in {result.interval for result in results.values()}:
        assert [[0, 0], [1, interval]] in perfect
        assert [[0, interval], [1, 0]] in perfect
    for i, result in enumerate(results.values()):
        np.testing.assert_allclose(lines[2 * i].get_xydata(), torch.stack([ALPHA, result.from_start], 1))
        np.testing.assert_allclose(lines[2 * i + 1].get_xydata(), torch.stack([ALPHA, result.to_end], 1))
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    ends = ["from the start", "to the end"]
    assert legend == ["perfectly even", *(["AEAI", "AMR"] if several else []), *ends]


@pytest.mark.parametrize("field", ["alpha", "mean", "std"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_leaves_a_gap(field: str, value: float) -> None:
    result = errors(1)
    setattr(result, field, getattr(result, field).index_fill(0, torch.tensor([5]), value))
    ax = error_by_alpha(result)
    line = ax.lines[0].get_xydata()
    assert np.isfinite(line).all(axis=1).sum() == (16 if field == "std" else 15)
    assert np.isfinite(ax.get_ylim()).all()
    ax.figure.draw_without_rendering()


def test_many_methods_differ_in_colour_dashes_and_marker() -> None:
    ax = error_by_alpha({f"method {i}": errors(i) for i in range(1, 9)})
    assert len({to_hex(line.get_color()) for line in ax.lines}) == 8
    assert len({line.get_marker() for line in ax.lines}) == 8
    assert len({str(line._dash_pattern) for line in ax.lines}) == 8


@pytest.mark.parametrize(("draw", "result"), EVERY)
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_draws_where_it_is_told_to(draw, result, layout: str | None) -> None:
    figure, ax = pyplot.subplots(layout=layout)
    assert draw(result, ax=ax) is ax
    assert draw({"plain": result, "ACAI": result}, ax=ax) is ax
    figure.draw_without_rendering()
    assert pyplot.get_fignums() == [figure.number]
    with pytest.raises(TypeError, match="ax: expected matplotlib axes, got 3"):
        draw(result, ax=3)


def without(result: SimpleNamespace, field: str) -> SimpleNamespace:
    return SimpleNamespace(**{name: value for name, value in vars(result).items() if name != field})


def changed(result: SimpleNamespace, **fields) -> SimpleNamespace:
    return SimpleNamespace(**(vars(result) | fields))


@pytest.mark.parametrize(("draw", "result"), EVERY[:-1])
def test_a_missing_attribute_is_named(draw, result: SimpleNamespace) -> None:
    for field in vars(result):
        with pytest.raises(TypeError, match=f"results: expected an object with .*{field}.* without '{field}'"):
            draw(without(result, field))
        with pytest.raises(TypeError, match=rf"results\['ACAI'\]: .* got a SimpleNamespace without '{field}'"):
            draw({"plain": result, "ACAI": without(result, field)})
    with pytest.raises(ValueError, match="results: expected at least one method"):
        draw({})


@pytest.mark.parametrize(("draw", "message"), [
    (lambda: error_by_alpha(errors(1).mean), "results: expected an object with alpha, mean, std, got a torch.f"),
    (lambda: error_by_alpha(changed(errors(1), mean="no")), "results.mean: expected a tensor, got 'no'"),
    (lambda: error_by_alpha(changed(errors(1), std=torch.zeros(2, 8))), "results.std: expected a vector, got"),
    (lambda: error_by_alpha({"a": changed(errors(1), std=torch.zeros(3))}),
     r"results\['a'\]: expected vectors of one length, at least 1, got alpha \[16\], mean \[16\], std \[3\]"),
    (lambda: error_by_alpha(SimpleNamespace(**dict.fromkeys(("alpha", "mean", "std"), torch.zeros(0)))),
     "results: expected vectors of one length, at least 1"),
    (lambda: error_by_interval({"a": interval_errors(1), "b": interval_errors(1, "radians")}),
     "results: expected lengths of one unit, got 'degrees', 'radians'"),
    (lambda: parameter_distance(distances(0.1, -1)), "results.interval: expected a finite number"),
    (lambda: parameter_distance({"a": changed(distances(0.1), interval="x")}),
     r"results\['a'\].interval: expected a number, got 'x'"),
])  # fmt: skip
def test_bad_input_is_named_before_anything_is_drawn(draw, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        draw()
    assert pyplot.get_fignums() == []


def test_what_was_retrieved_beyond_the_ends_is_seen() -> None:
    """A measure that may leave [0, 1] must not be cut off there."""
    alpha = torch.linspace(0, 1, 5)
    beyond = SimpleNamespace(alpha=alpha, median=2 * alpha - 0.5, low=2 * alpha - 0.75, high=2 * alpha)
    low, high = retrieved_alpha(beyond).get_ylim()
    assert low < -0.75
    assert high > 2.0
    inside = SimpleNamespace(alpha=alpha, median=alpha, low=alpha, high=alpha)
    assert retrieved_alpha(inside).get_ylim() == pytest.approx((-0.03, 1.03))
