"""The parts that training does not need are imported when they are first used."""

import subprocess
import sys

import pytest

import interpreg

ON_DEMAND = ("datasets", "metrics", "plots", "report")


def modules_after(statement: str) -> set[str]:
    """The subpackages of interpreg in ``sys.modules`` of a fresh process."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return {name.split(".")[1] for name in result.stdout.split() if name.startswith("interpreg.")}


def test_only_what_training_needs_is_imported() -> None:
    modules = modules_after("import interpreg")
    assert {"recipes", "regularizers", "functional", "kernels", "priors"} <= modules
    assert modules.isdisjoint(ON_DEMAND)


@pytest.mark.parametrize(("statement", "module"), [
    ("import interpreg; interpreg.metrics.line_scores", "metrics"),
    ("import interpreg; interpreg.datasets.lines", "datasets"),
    ("from interpreg import plots", "plots"),
    ("from interpreg import interpolation_report", "report"),
    ("from interpreg import *; interpolation_report", "report"),
])  # fmt: skip
def test_the_rest_is_imported_on_demand(statement: str, module: str) -> None:
    assert module in modules_after(statement)


def test_all_names_are_listed_and_unknown_ones_refused() -> None:
    assert set(interpreg.__all__) <= set(dir(interpreg))
    with pytest.raises(AttributeError, match="module 'interpreg' has no attribute 'metric'"):
        interpreg.metric  # noqa: B018
