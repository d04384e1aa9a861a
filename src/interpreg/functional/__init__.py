"""The mathematics of the package as pure functions: tensors in, tensor out, no state."""

from interpreg.functional.mixing import mix, path, slerp
from interpreg.functional.mmd import mmd2, mmd2_to_prior

__all__ = ["mix", "mmd2", "mmd2_to_prior", "path", "slerp"]
