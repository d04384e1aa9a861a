"""One line of a report."""

import math

import pytest

from interpreg.report import Metric


def test_an_undefined_metric_has_a_reason() -> None:
    assert Metric("g", "k", "n", math.nan).undefined == "no sample defines it"
    with pytest.raises(ValueError, match="expected a reason"):
        Metric("g", "k", "n", None)


def test_a_reason_is_for_missing_values_only() -> None:
    assert Metric("g", "k", "n", 1.0, undefined="none").undefined == ""
    assert Metric("g", "k", "n", None, undefined="none").undefined == "none"
    assert Metric("g", "k", "n", 1.0, baseline=math.nan).baseline is None


@pytest.mark.parametrize(("value", "expected"), [
    (12_345, "12,345"), (0.5, "0.5000"), (0.0, "0.0000"), (1e-3, "0.0010"), (9e-4, "9.000e-04"),
    (1e5, "1.000e+05"),
])  # fmt: skip
def test_numbers_as_text(value: float, expected: str) -> None:
    assert Metric("g", "k", "n", value).shown() == expected
