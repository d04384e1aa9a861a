"""Configurations: a TOML file, or a dictionary in a checkpoint, that names networks, their weights, and data.

``docs/report.md`` has an example; ``TABLES`` lists all tables and keys.
"""

import importlib
import importlib.util
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from interpreg import _checks
from interpreg._files import as_path, head_of
from interpreg.datasets import Samples, named
from interpreg.report import arrays, checkpoint

NETWORK: dict[str, type] = {"factory": str, "arguments": dict, "key": str, "prefix": str}
DATA: dict[str, type] = {
    "name": str,
    "file": str,
    "path": str,
    "split": str,
    "limit": int,
    "seed": int,
    "options": dict,
}
NAMED_ONLY = ("path", "split", "seed", "options")  # without effect on a file
REPORT = {"prior": str, "pairs": int, "steps": int, "kind": str, "restarts": int, "batch_size": int, "seed": int}
TABLES: dict[str, dict[str, type]] = {
    "encoder": NETWORK, "decoder": NETWORK, "data": DATA, "train": DATA, "report": REPORT,
}  # fmt: skip
TYPES = {str: "a text", int: "a whole number", dict: "a table"}
# the only code that a configuration in a checkpoint may call, because other code could be harmful
BUILT_IN_FACTORIES = "interpreg.demo.networks:"


def read(path: Path) -> dict[str, Any]:
    """The checked configuration in a TOML file.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, has unknown names, or lacks a table.
    """
    head_of(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected TOML, got a file that is not: {error}") from error
    return _checked(path, content)


def embedded(path: Path, state: Any) -> dict[str, Any]:
    """The checked configuration that a checkpoint carries under "configuration".

    Raises:
        ValueError: there is none, or it names networks that are not this package's.
    """
    content = state.get("configuration") if isinstance(state, dict) else None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: expected --config FILE, because only checkpoints of the demo carry a configuration; "
            f"this one holds {checkpoint.names_in(state)}"
        )
    content = _checked(path, content)
    for table in ("encoder", "decoder"):
        if not str(content[table]["factory"]).startswith(BUILT_IN_FACTORIES):
            raise ValueError(
                f"{path}: [{table}] factory: expected {BUILT_IN_FACTORIES}..., because a checkpoint "
                f"may not call other code without --config FILE, got {content[table]['factory']!r}"
            )
    return content


def _checked(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with all tables; ``ValueError`` where names are unknown or a table is missing."""
    tables = {name: content.get(name, {}) for name in TABLES}
    for table, values in tables.items():
        if not isinstance(values, dict):
            raise ValueError(f"{path}: expected a table [{table}], got {_checks.describe(values)}")
        if unknown := set(values) - set(TABLES[table]):
            raise ValueError(
                f"{path}: [{table}] expected names among {sorted(TABLES[table])}, got {sorted(unknown)}"
            )
        for key, value in values.items():
            _check_type(f"{path}: [{table}] {key}", value, TABLES[table][key])
    if unknown := set(content) - set(TABLES) - {"name"}:
        raise ValueError(f"{path}: expected tables among {sorted(TABLES)}, got {sorted(unknown)}")
    _check_type(f"{path}: name", content.get("name", ""), str)
    for table in ("encoder", "decoder"):
        if "factory" not in tables[table]:
            raise ValueError(f"{path}: [{table}] expected a factory, such as 'models.py:Encoder', got none")
    if not tables["data"]:
        raise ValueError(f"{path}: expected a table [data] with a name or a file, got none")
    return {**content, **tables}


def _check_type(where: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{where}: expected {TYPES[kind]}, got {_checks.describe(value)}")


def network(name: str, table: Mapping[str, Any], state: Any, folder: Path) -> nn.Module:
    """The network of a table, with its weights from the checkpoint.

    Raises:
        ImportError, ValueError: the factory cannot be found, or its module and the weights do not fit.
    """
    module = _factory(name, table["factory"], folder)(**table.get("arguments", {}))
    if not isinstance(module, nn.Module):
        raise ValueError(f"[{name}] factory: expected it to make an nn.Module, got {_checks.describe(module)}")
    prefix = table.get("prefix", "")
    weights = checkpoint.weights(name, state, table.get("key", ""), prefix)
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        hint = checkpoint.wrapper_hint(weights, prefix)
        raise ValueError(f"[{name}]: expected the weights of a {type(module).__name__}: {error}{hint}") from error
    return module


def data(name: str, table: Mapping[str, Any], folder: Path) -> Samples | None:
    """The samples of a table, None if it is empty.

    Raises:
        OSError, ValueError: files that are missing or malformed.
    """
    if not table:
        return None
    if ("name" in table) == ("file" in table):
        raise ValueError(f"[{name}]: expected either a name or a file, got {sorted(table)}")
    if "file" in table and (useless := [key for key in NAMED_ONLY if key in table]):
        raise ValueError(f"[{name}] {useless[0]}: expected none beside a file, got {table[useless[0]]!r}")
    limit = None if "limit" not in table else _checks.as_count(f"[{name}] limit", table["limit"], low=2)
    if "file" in table:
        return arrays.read(folder / as_path(f"[{name}] file", table["file"]))[:limit]
    path = None if "path" not in table else folder / as_path(f"[{name}] path", table["path"])
    generator = None if "seed" not in table else torch.Generator().manual_seed(table["seed"])
    options = table.get("options", {})
    return named(table["name"], path, table.get("split"), generator=generator, **options)[:limit]


def _factory(name: str, text: Any, folder: Path) -> Callable[..., Any]:
    """The class or function of "models.py:Encoder" or "package.module:Encoder"."""
    where, _, attribute = str(text).rpartition(":")
    if not where or not attribute:
        raise ValueError(
            f"[{name}] factory: expected 'models.py:Encoder' or 'package.module:Encoder', got {text!r}"
        )
    if where.endswith(".py"):
        path = folder / as_path(f"[{name}] factory", where)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise FileNotFoundError(f"[{name}] factory: no such file: {path}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(where)
    factory: Any = getattr(module, attribute, None)
    if not callable(factory):
        raise ValueError(f"[{name}] factory: expected {attribute!r} in {where}, got none that can be called")
    return factory  # type: ignore[no-any-return]  # the caller checks the result
