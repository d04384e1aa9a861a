"""Checkpoints: files of ``torch.save`` or safetensors, of which tensors and plain values alone are read."""

import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interpreg import _checks
from interpreg._files import head_of, kind_of

WRAPPERS = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile, and many trainers


def load(path: Path) -> Any:
    """The content of a checkpoint. Nothing is executed.

    Raises:
        ImportError: it is a safetensors file, and the package is not installed.
        OSError: there is no such file.
        ValueError: it is not a checkpoint, or holds other objects.
    """
    kind = kind_of(head_of(path))
    if kind == "a safetensors file" or path.suffix == ".safetensors":
        return _safetensors(path)
    expected = "a checkpoint of tensors, such as torch.save({'encoder': encoder.state_dict(), ...}, path)"
    try:
        with warnings.catch_warnings():
            # about foreign pickles, which are refused below
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError:
        raise
    except Exception as error:  # of many kinds
        reason = str(error).strip()
        if kind not in ("", "a zip archive"):
            got = kind
        elif "TorchScript" in reason:
            got = "TorchScript, which is code"
        elif "Unsupported" in reason or isinstance(error, KeyError):
            got = "a file with other objects, which would have to be executed"
        elif kind == "a zip archive":
            got = "one that is truncated or corrupt; get it again"
        else:
            got = "a file that is none"
        raise ValueError(f"{path}: expected {expected}, got {got}: {_telling_line(reason)}") from error


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        load_file = importlib.import_module("safetensors.torch").load_file
    except ImportError as error:
        raise ImportError(f"{path}: a safetensors file; reading it needs pip install safetensors") from error
    try:
        return dict(load_file(path))
    except Exception as error:  # a class of the package's own
        raise ValueError(
            f"{path}: expected a safetensors file, got one that is not, or truncated: {error}"
        ) from error


def weights(name: str, state: Any, key: str, prefix: str) -> dict[str, Any]:
    """The entries under a dotted key whose names begin with ``prefix``, without it."""
    for part in [p for p in key.split(".") if p]:
        if not isinstance(state, Mapping) or part not in state:
            raise ValueError(f"[{name}] key: expected {key!r} in the checkpoint, which has {names_in(state)}")
        state = state[part]
    if not isinstance(state, Mapping):
        raise ValueError(f"[{name}] key: expected a state_dict under {key!r}, got {_checks.describe(state)}")
    found = {n.removeprefix(prefix): t for n, t in state.items() if str(n).startswith(prefix)}
    if not found:
        raise ValueError(
            f"[{name}] prefix: expected names that begin with {prefix!r}, got {sorted(map(str, state))[:5]} ..."
        )
    return found


def names_in(state: object) -> str:
    """The names in a part of a checkpoint, or what it is instead, for an error message."""
    return str(sorted(map(str, state))) if isinstance(state, Mapping) else _checks.describe(state)


def wrapper_hint(names: Mapping[str, Any], prefix: str) -> str:
    """What to write where all names begin as those of a wrapper's state_dict; or ""."""
    wrapper = next((w for w in WRAPPERS if names and all(str(n).startswith(w) for n in names)), "")
    return f'. All names begin with {wrapper!r}: write prefix = "{prefix}{wrapper}"' if wrapper else ""


def _telling_line(text: str) -> str:
    """The line about what is unsupported in a message of torch's, else its first one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    return next((line for line in lines if "Unsupported" in line), lines[0])
