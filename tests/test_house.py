"""The house keeps its order: imports point down, names are public and documented, no file outgrows its room."""

import ast
import inspect
from pathlib import Path

import pytest

import interpreg
from interpreg import datasets, demo, functional, kernels, metrics, plots, priors, regularizers, report

SOURCE = Path(interpreg.__file__).parent
FLOORS = {
    "_checks": 0, "_numerics": 0, "_references": 0, "_types": 0, "_extras": 0, "_files": 0, "_progress": 0,
    "kernels": 1, "priors": 1,
    "mmd": 2,
    "functional": 3, "sampling": 3, "interpolator": 3, "bottlenecks": 3, "batch": 3,
    "regularizers": 4,
    "recipes": 5,
}  # fmt: skip
BESIDE = {
    "datasets",
    "metrics",
    "plots",
    "report",
    "demo",
    "__main__",
}  # they import from the tower, it never imports them
WITHIN = ["functional", "sampling", "interpolator", "bottlenecks", "batch"]  # the order on the third floor
FILES = sorted(SOURCE.rglob("*.py"))


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
