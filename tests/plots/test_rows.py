"""Rows of interpolations: every image where it belongs."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from interpreg.plots import interpolation_rows


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("with_ends", [False, True])
def test_methods_lie_under_each_other_pair_by_pair(colours: int, with_ends: bool) -> None:
    """Images of one grey each, told apart by their value."""
    n, steps, size = 3, 5, 10
    plain = torch.linspace(-1, 0, n * steps).view(n, steps, 1, 1, 1).expand(n, steps, colours, size, size)
    other = plain + 1
    data = torch.full((n, colours, size, size), 0.5)
    ax = interpolation_rows({"plain": plain, "ACAI": other}, (data, data) if with_ends else None)
    sheet = ax.images[0].get_array()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "ACAI"] * n
    left = size + 4 if with_ends else 0  # the data and a gap of 0.35 of an image
    for row, y in enumerate(ax.get_yticks()):
        greys = (plain if row % 2 == 0 else other)[row // 2, :, 0, 0, 0]
        for step in range(steps):
            x = left + step * (size + 1) + size // 2  # a rim of one pixel between images
            expected = (greys[step].item() + 1) / 2
            np.testing.assert_allclose(sheet[round(y), x], [expected] * 3 + [1], atol=1e-6)
    opaque = sheet[..., 3] == 1
    images = 2 * n * (steps + 2 * with_ends)
    assert opaque.sum() == images * size * size
    assert np.isfinite(sheet).all()


def test_draws_where_it_is_told_to(axes) -> None:
    assert interpolation_rows({"plain": torch.zeros(1, 2, 1, 4, 4)}, ax=axes) is axes
    assert len(pyplot.get_fignums()) == 1


def test_a_single_method_goes_without_a_name() -> None:
    paths = torch.linspace(-1, 1, 6).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 4)
    ax, named = interpolation_rows(paths), interpolation_rows({"ACAI": paths})
    np.testing.assert_array_equal(ax.images[0].get_array(), named.images[0].get_array())
    assert (list(ax.get_yticks()), len(named.get_yticks())) == ([], 2)


@pytest.mark.parametrize(("rows", "message"), [
    ({}, r"rows: expected at least one method"),
    ({"a": torch.zeros(2, 3, 4, 4)}, r"rows: expected shape \[n, steps, 1 or 3, H, W\]"),
    ({"a": torch.zeros(2, 3, 1, 4, 4), "b": torch.zeros(2, 4, 1, 4, 4)}, r"rows\['b'\]: expected the shape of"),
    ({"a": torch.zeros(2, 3, 1, 4, 4).int()}, r"rows\['a'\]: expected a floating point tensor"),
    ({"a": torch.zeros(0, 3, 1, 4, 4)}, r"rows: expected shape"),
    (torch.zeros(3, 1, 4, 4), r"rows: expected shape"),
    ({"a": torch.full((1, 3, 1, 4, 4), torch.nan)}, r"rows\['a'\]: expected finite numbers, got 48 of 48"),
])  # fmt: skip
def test_bad_input_is_named(rows: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        interpolation_rows(rows)


def test_ends_that_do_not_fit_are_named() -> None:
    rows = {"a": torch.zeros(2, 3, 1, 4, 4)}
    with pytest.raises(ValueError, match=r"ends\[1\]: expected the shape of one image a path, \(2, 1, 4, 4\)"):
        interpolation_rows(rows, (torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4)))
    broken = torch.full((2, 1, 4, 4), torch.inf)
    with pytest.raises(ValueError, match=r"ends\[0\]: expected finite numbers, got 32 of 32 that are not finite"):
        interpolation_rows(rows, (broken, broken))
    assert pyplot.get_fignums() == []
