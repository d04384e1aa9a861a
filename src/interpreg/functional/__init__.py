"""The mathematics of the package as pure functions: tensors in, tensor out, no state."""

from interpreg.functional.adaptive import adaptive_weight
from interpreg.functional.cycle import cycle_loss
from interpreg.functional.derivative import path_derivative, smoothness_loss
from interpreg.functional.gaia import (
    distance_loss,
    gaia_autoencoder_loss,
    gaia_balance,
    gaia_critic_loss,
    gaia_simple_critic_loss,
)
from interpreg.functional.kl import kl_to_normal
from interpreg.functional.means import mean
from interpreg.functional.mixing import bilinear, mix, path, slerp
from interpreg.functional.mmd import mmd2, mmd2_to_prior
from interpreg.functional.noise import add_noise, drop_out, sample_normal
from interpreg.functional.reconstruction import reconstruction_loss
from interpreg.functional.sparsity import sparsity_kl

__all__ = [
    "adaptive_weight",
    "add_noise",
    "bilinear",
    "cycle_loss",
    "distance_loss",
    "drop_out",
    "gaia_autoencoder_loss",
    "gaia_balance",
    "gaia_critic_loss",
    "gaia_simple_critic_loss",
    "kl_to_normal",
    "mean",
    "mix",
    "mmd2",
    "mmd2_to_prior",
    "path",
    "path_derivative",
    "reconstruction_loss",
    "sample_normal",
    "slerp",
    "smoothness_loss",
    "sparsity_kl",
]
