"""Optional dependencies: imported where they are used, missed with a sentence that says what to do."""

import importlib
from typing import Any


def need(module: str, extra: str, what_for: str) -> Any:
    """Import ``module``, or raise ``ImportError`` naming the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{what_for} needs {package}, which is not installed: pip install 'interpreg[{extra}]'"
        ) from error
