"""The mathematics of the package as pure functions: tensors in, tensor out, no state."""

from interpreg.functional.adaptive import adaptive_weight
from interpreg.functional.means import mean
from interpreg.functional.mixing import mix, path, slerp
from interpreg.functional.mmd import mmd2, mmd2_to_prior
from interpreg.functional.reconstruction import reconstruction_loss

__all__ = ["adaptive_weight", "mean", "mix", "mmd2", "mmd2_to_prior", "path", "reconstruction_loss", "slerp"]
