"""Configurations: a TOML file, or a dictionary in a checkpoint, that names networks, their weights, and data.

``docs/report.md`` has an example; ``TABLES`` lists all tables and keys.
"""

import importlib
import importlib.util
import pickle
import tomllib
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from interpreg import _checks
from interpreg.datasets import Samples, named

NETWORK_KEYS = {"factory", "arguments", "key", "prefix"}
DATA_KEYS = {"name", "file", "path", "split", "limit", "seed", "options"}
TABLES = {
    "encoder": NETWORK_KEYS,
    "decoder": NETWORK_KEYS,
    "data": DATA_KEYS,
    "train": DATA_KEYS,
    "report": {"prior", "pairs", "steps", "kind", "restarts", "batch_size", "seed"},
}
# the only code that a configuration in a checkpoint may call, because other code could be harmful
BUILT_IN_FACTORIES = "interpreg.demo.networks:"


def read(path: Path) -> dict[str, Any]:
    """The checked configuration in a TOML file.

    Raises:
        OSError: there is no such file.
        ValueError: it is not TOML, has unknown names, or lacks a table.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML, got a file that is not: {error}") from error
    return _checked(path, content)


def embedded(path: Path, state: Any) -> dict[str, Any]:
    """The checked configuration that a checkpoint carries under "configuration".

    Raises:
        ValueError: there is none, or it names networks that are not this package's.
    """
    content = state.get("configuration") if isinstance(state, dict) else None
    if not isinstance(content, dict):
        keys = sorted(map(str, state)) if isinstance(state, dict) else _checks.describe(state)
        raise ValueError(
            f"{path}: expected --config FILE, because only checkpoints of the demo carry a configuration; "
            f"this one holds {keys}"
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
        if unknown := set(values) - TABLES[table]:
            raise ValueError(
                f"{path}: [{table}] expected names among {sorted(TABLES[table])}, got {sorted(unknown)}"
            )
    if unknown := set(content) - set(TABLES) - {"name"}:
        raise ValueError(f"{path}: expected tables among {sorted(TABLES)}, got {sorted(unknown)}")
    for table in ("encoder", "decoder"):
        if "factory" not in tables[table]:
            raise ValueError(f"{path}: [{table}] expected a factory, such as 'models.py:Encoder', got none")
    if not tables["data"]:
        raise ValueError(f"{path}: expected a table [data] with a name or a file, got none")
    return {**content, **tables}


def checkpoint(path: Path) -> Any:
    """The content of a file of ``torch.save``: tensors and plain values only, nothing is executed.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a checkpoint, or holds other objects.
    """
    try:
        with warnings.catch_warnings():
            # about foreign pickles, which are refused below
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path}: expected a checkpoint of tensors, such as torch.save({{'encoder': encoder.state_dict(), ...}}, "
            f"path), got a file with other objects, which would have to be executed: {str(error).splitlines()[0]}"
        ) from error


def network(name: str, table: Mapping[str, Any], state: Any, folder: Path) -> nn.Module:
    """The network of a table, with its weights from the checkpoint.

    Raises:
        ImportError, ValueError: the factory cannot be found, or its module and the weights do not fit.
    """
    module = _factory(name, table["factory"], folder)(**table.get("arguments", {}))
    if not isinstance(module, nn.Module):
        raise ValueError(f"[{name}] factory: expected it to make an nn.Module, got {_checks.describe(module)}")
    weights = _weights(name, state, table.get("key", ""), table.get("prefix", ""))
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"[{name}]: expected the weights of a {type(module).__name__}: {error}") from error
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
    limit = None if "limit" not in table else _checks.as_count(f"[{name}] limit", table["limit"], low=2)
    if "file" in table:
        return _arrays(folder / Path(table["file"]).expanduser())[:limit]
    path = None if "path" not in table else folder / Path(table["path"]).expanduser()
    generator = None if "seed" not in table else torch.Generator().manual_seed(table["seed"])
    options = table.get("options", {})
    return named(table["name"], path, table.get("split"), generator=generator, **options)[:limit]


def _arrays(path: Path) -> Samples:
    """The samples of an .npz file: ``X``, uint8 and channels last, or floats in [-1, 1], and ``y``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: torch.from_numpy(archive[key]) for key in ("X", "y") if key in archive}
    except (zipfile.BadZipFile, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected an .npz file of numbers, got one that is not: {error}") from error
    if "X" not in arrays:
        raise ValueError(f"{path}: expected an array X, got none")
    x, labels = arrays["X"], arrays["y"].long() if "y" in arrays else None
    if x.dtype != torch.uint8:
        return Samples(x.float(), labels)
    return Samples((x[..., None] if x.ndim == 3 else x).movedim(-1, 1), labels)


def _factory(name: str, text: Any, folder: Path) -> Callable[..., Any]:
    """The class or function of "models.py:Encoder" or "package.module:Encoder"."""
    where, _, attribute = str(text).rpartition(":")
    if not where or not attribute:
        raise ValueError(
            f"[{name}] factory: expected 'models.py:Encoder' or 'package.module:Encoder', got {text!r}"
        )
    if where.endswith(".py"):
        path = folder / where
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


def _weights(name: str, state: Any, key: str, prefix: str) -> dict[str, Any]:
    """The entries under a dotted key whose names begin with ``prefix``, without it."""
    for part in [p for p in key.split(".") if p]:
        if not isinstance(state, Mapping) or part not in state:
            keys = sorted(map(str, state)) if isinstance(state, Mapping) else _checks.describe(state)
            raise ValueError(f"[{name}] key: expected {key!r} in the checkpoint, which has {keys}")
        state = state[part]
    if not isinstance(state, Mapping):
        raise ValueError(f"[{name}] key: expected a state_dict under {key!r}, got {_checks.describe(state)}")
    weights = {n.removeprefix(prefix): t for n, t in state.items() if str(n).startswith(prefix)}
    if not weights:
        raise ValueError(
            f"[{name}] prefix: expected names that begin with {prefix!r}, got {sorted(state)[:5]} ..."
        )
    return weights
