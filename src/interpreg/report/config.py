"""The small file that tells the command line which networks a checkpoint is of, and which data to hold them against.

``docs/report.md`` shows one whole: the tables and their names are those of ``TABLES``.
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
from torch import Tensor, nn

from interpreg import _checks
from interpreg.datasets.images import Images
from interpreg.datasets.named import named

TABLES = {
    "encoder": {"factory", "arguments", "key", "prefix"},
    "decoder": {"factory", "arguments", "key", "prefix"},
    "data": {"name", "file", "path", "split", "limit", "options"},
    "train": {"name", "file", "path", "split", "limit", "options"},
    "report": {"prior", "pairs", "steps", "kind", "restarts", "batch_size", "seed"},
}


def read(path: Path) -> dict[str, Any]:
    """The configuration in ``path``, its tables and their names checked.

    Raises:
        OSError: there is no such file.
        ValueError: it is no TOML, or has names that mean nothing, or lacks a table.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML, got a file that says otherwise: {error}") from error
    for table, known in TABLES.items():
        given = content.setdefault(table, {})
        if not isinstance(given, dict):
            raise ValueError(f"{path}: expected a table [{table}], got {_checks.describe(given)}")
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"{path}: [{table}] expected names among {sorted(known)}, got {sorted(unknown)}")
    unknown = set(content) - set(TABLES) - {"name"}
    if unknown:
        raise ValueError(f"{path}: expected tables among {sorted(TABLES)}, got {sorted(unknown)}")
    for table in ("encoder", "decoder"):
        if "factory" not in content[table]:
            raise ValueError(f"{path}: [{table}] expected a factory, such as 'models.py:Encoder', got none")
    if not content["data"]:
        raise ValueError(f"{path}: expected a table [data] with a name or a file, got none")
    return content


def checkpoint(path: Path) -> Any:
    """What ``torch.save`` wrote to ``path``: tensors and plain values only, nothing is executed.

    Raises:
        OSError: there is no such file.
        ValueError: it is none, or holds other objects.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of foreign pickles, which are refused in a moment
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path}: expected a checkpoint of tensors, such as torch.save({{'encoder': encoder.state_dict(), ...}}, "
            f"path), got a file that holds other things, which would have to be executed: {str(error).splitlines()[0]}"
        ) from error


def network(name: str, table: Mapping[str, Any], state: Any, folder: Path) -> nn.Module:
    """The module that a table describes, with its weights from the checkpoint.

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


def data(name: str, table: Mapping[str, Any], folder: Path) -> tuple[Images | Tensor | None, Tensor | None]:
    """The samples that a table describes, and their labels where they do not carry them; Nones for an empty table.

    Raises:
        OSError, ValueError: files that are missing or not what they should be.
    """
    if not table:
        return None, None
    if ("name" in table) == ("file" in table):
        raise ValueError(f"[{name}]: expected either a name or a file, got {sorted(table)}")
    limit = None if "limit" not in table else _checks.as_count(f"[{name}] limit", table["limit"], low=2)
    if "file" in table:
        x, labels = _own(folder / Path(table["file"]).expanduser())
        return x[:limit], None if labels is None else labels[:limit]
    path = None if "path" not in table else folder / Path(table["path"]).expanduser()
    images = named(table["name"], path, table.get("split"), **table.get("options", {}))
    return images[:limit], None


def _own(path: Path) -> tuple[Tensor, Tensor | None]:
    """Samples in [-1, 1] and labels from an .npz file: ``X``, uint8 and channels last or floats, and ``y``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: torch.from_numpy(archive[key]) for key in ("X", "y") if key in archive}
    except (zipfile.BadZipFile, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected an .npz file of numbers, got one that is not: {error}") from error
    if "X" not in arrays:
        raise ValueError(f"{path}: expected an array X, got none")
    x, labels = arrays["X"], arrays["y"].long() if "y" in arrays else None
    if x.dtype != torch.uint8:
        return x.float(), labels
    x = x[..., None] if x.ndim == 3 else x
    return Images(x.movedim(-1, 1)).scaled(), labels


def _factory(name: str, text: Any, folder: Path) -> Callable[..., Any]:
    """The class or function that "models.py:Encoder" or "package.module:Encoder" names."""
    where, colon, what = str(text).rpartition(":")
    if not colon or not where or not what:
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
    found: Any = getattr(module, what, None)
    if not callable(found):
        raise ValueError(f"[{name}] factory: expected {what!r} in {where}, got none that can be called")
    return found  # type: ignore[no-any-return]  # whatever it makes is checked by the caller


def _weights(name: str, state: Any, key: str, prefix: str) -> dict[str, Any]:
    """The state_dict under a dotted key, of the entries that begin with ``prefix``."""
    for part in [p for p in key.split(".") if p]:
        if not isinstance(state, Mapping) or part not in state:
            known = sorted(map(str, state)) if isinstance(state, Mapping) else _checks.describe(state)
            raise ValueError(f"[{name}] key: expected {key!r} in the checkpoint, which has {known}")
        state = state[part]
    if not isinstance(state, Mapping):
        raise ValueError(f"[{name}] key: expected a state_dict under {key!r}, got {_checks.describe(state)}")
    weights = {n.removeprefix(prefix): t for n, t in state.items() if str(n).startswith(prefix)}
    if not weights:
        raise ValueError(
            f"[{name}] prefix: expected names that begin with {prefix!r}, got {sorted(state)[:5]} ..."
        )
    return weights
