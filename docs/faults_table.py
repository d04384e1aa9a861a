"""Write the table of faults, from the tests that plant them: ``python docs/faults_table.py``.

A test is marked with the group of its fault, the fault, and what the user sees now::

    @pytest.mark.fault("Critics", "A critic keeps parameters in a list.", now="`ValueError` at the first training call")
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "_generated" / "faults-table.md"


class Fault(NamedTuple):
    """One row."""

    group: str
    what: str
    now: str
    test: str


def faults() -> Iterator[Fault]:
    """All marked tests, by file and line."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    group, what = (ast.literal_eval(each) for each in mark.args)
                    ((key, now),) = ((k.arg, ast.literal_eval(k.value)) for k in mark.keywords)
                    assert key == "now", f"{path.name}: {node.name}: expected now=, got {key}="
                    file = path.relative_to(ROOT / "tests").as_posix()
                    words = node.name.removeprefix("test_").replace("_", " ")
                    yield Fault(group, what, now, f"`{file}`: {words}")


def table() -> str:
    """A section for each group, in alphabetical order; equal faults in one row."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in faults():
        groups[fault.group][fault.what, fault.now].append(fault.test)
    lines = []
    for group in sorted(groups):
        lines += [f"## {group}", "", "| what happens | what you see | test |", "|---|---|---|"]
        lines += [f"| {what} | {now} | {'; '.join(tests)} |" for (what, now), tests in groups[group].items()]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    TABLE.write_text(table())
