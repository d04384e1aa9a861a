"""Optional dependencies, imported where they are used."""

import importlib
from typing import Any


def optional_import(module: str, extra: str, what_for: str) -> Any:
    """The module of that name, or an ``ImportError`` that names the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{what_for} needs {package}, which is not installed: pip install 'interpreg[{extra}]'"
        ) from error
