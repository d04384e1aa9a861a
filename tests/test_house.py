"""The house keeps its order: imports point down, names are public and documented, no file outgrows its room."""

import ast
import inspect
from pathlib import Path

import pytest

import interpreg
from interpreg import datasets, demo, functional, kernels, metrics, plots, priors, regularizers, report

SOURCE = Path(interpreg.__file__).parent
FLOORS = {
    "_checks": 0, "_fields": 0, "_networks": 0, "_numerics": 0, "_padding": 0, "_references": 0, "_types": 0,
    "_extras": 0, "_files": 0, "_later": 0, "_progress": 0, "_warnings": 0,
    "kernels": 1, "priors": 1,
    "mmd": 2,
    "functional": 3, "sampling": 3, "interpolator": 3, "bottlenecks": 3, "needs": 3, "batch": 3,
    "regularizers": 4,
    "recipes": 5,
}  # fmt: skip
BESIDE = {
    "datasets",
    "diagnosis",
    "metrics",
    "plots",
    "report",
    "demo",
    "__main__",
}  # they import from the tower, not it from them
WITHIN = [
    "functional",
    "sampling",
    "interpolator",
    "bottlenecks",
    "needs",
    "batch",
]  # the order on the third floor
FILES = sorted(SOURCE.rglob("*.py"))
TESTS = Path(__file__).parent
UNMIRRORED = {  # modules without a test file of their own, and what tests them
    "__main__": "demo/test_command.py and report/test_command.py, which start it",
    "_fields": "test_batch_inputs.py, message by message",
    "_types": "types alone",
    "datasets/readers/about": "the readers' own files, on what is wrong with an archive",
    "datasets/readers/archives": "readers/test_files.py",
    "datasets/readers/pictures": "readers/test_coil.py and test_celeba.py",
    "demo/tasks": "demo/test_command.py",
    "mmd/estimators": "functional/test_mmd.py, by brute force",
    "mmd/reference": "functional/test_mmd.py, by brute force",
    "mmd/request": "mmd/test_dispatch.py",
    "mmd/triton_kernels": "mmd/test_triton.py",
    "needs": "regularizers/test_plan.py and test_batch.py",
    "recipes/common": "test_arguments.py, for all recipes",
    "regularizers/trace": "regularizers/test_nonfinite.py",
    "regularizers/call_checks": "regularizers/test_looks.py, test_players.py, test_detached.py and test_processes.py",
    "regularizers/mixers": "test_arguments.py and test_arguments_unused.py",
    "report/groups": "report/test_report.py, metric by metric",
    "report/pictures": "report/test_page.py",
}
ACROSS = {  # test files below a folder that are about all of it
    "datasets/readers/test_real_files.py", "datasets/readers/test_registry.py", "metrics/test_devices.py",
    "plots/test_golden.py",
}  # fmt: skip
LARGE = 20  # lines, from which on a module has tests


def room(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "interpreg":
            deeper = node.module.split(".")[1:]
            names = [deeper[0]] if deeper else [alias.name for alias in node.names]
            rooms.update(names)
        elif isinstance(node, ast.Import):
            rooms.update(a.name.split(".")[1] for a in node.names if a.name.startswith("interpreg."))
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    for there in imported(path) - {here}:
        if here in BESIDE or here == "":  # the roof covers everything
            continue
        assert there not in BESIDE, f"{path.name} imports {there}, which stands beside the tower"
        assert FLOORS[there] <= FLOORS[here], f"{path.name} imports {there}, which is above it"
        if FLOORS[there] == FLOORS[here] and FLOORS[here] == 3:
            assert WITHIN.index(there) < WITHIN.index(here)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    """A file near 200 lines, a function near 40 besides its docstring."""
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{path.name}: {node.name} has {lines} lines"


@pytest.mark.parametrize(
    "module", [interpreg, functional, regularizers, kernels, priors, metrics, datasets, plots, report]
)
def test_public_names_exist_and_are_documented(module) -> None:
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)), name


def test_extras_are_imported_only_when_needed() -> None:
    """Somebody without matplotlib, scikit-learn or tqdm can import everything."""
    allowed = {"torch", "einops", "numpy", "geomloss", "typing_extensions", "interpreg"}
    for path in FILES:
        tree = ast.parse(path.read_text())
        typing_only = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
        hidden = {id(inner) for n in typing_only for inner in ast.walk(n)}
        for node in ast.walk(tree):
            if id(node) in hidden or not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            for name in names:
                top = name.split(".")[0]
                if top == "triton" and path.name == "triton_kernels.py":  # itself imported only when needed
                    continue
                assert top in allowed or top in __import__("sys").stdlib_module_names, f"{path.name}: {name}"


def test_the_package_says_it_is_typed() -> None:
    assert (SOURCE / "py.typed").exists()
    assert demo.__doc__


def mirrors(test: Path, module: Path) -> bool:
    """Whether ``folder/test_x.py``, or ``folder/test_x_y.py`` about an aspect, is the test of ``folder/x.py``."""
    own, name = test.relative_to(TESTS), f"test_{module.stem.lstrip('_')}"
    beside = own.parent == module.relative_to(SOURCE).parent
    return beside and (own.stem == name or own.stem.startswith(f"{name}_"))


def test_tests_mirror_the_source() -> None:
    tests = sorted(TESTS.rglob("test_*.py"))
    below = [test for test in tests if test.parent != TESTS]
    strays = {str(t.relative_to(TESTS)) for t in below if not any(mirrors(t, module) for module in FILES)}
    assert strays == ACROSS
    large = [path for path in FILES if path.stem != "__init__" and len(path.read_text().splitlines()) > LARGE]
    untested = [path for path in large if not any(mirrors(t, path) for t in tests)]
    assert {path.relative_to(SOURCE).with_suffix("").as_posix() for path in untested} == set(UNMIRRORED)


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda p: str(p.relative_to(TESTS)))
def test_no_test_file_imports_from_another(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not [name for name in names if name.split(".")[-1].startswith("test_")]
