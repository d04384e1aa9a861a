"""The mathematics of the package as pure functions: tensors in, tensor out, no state."""

from interpreg.functional.mixing import mix, path, slerp

__all__ = ["mix", "path", "slerp"]
