"""Kernels of the distance between two codes: small frozen objects that hold numbers and no tensors."""

from interpreg.kernels.base import Kernel, Mixture, Spec, from_spec
from interpreg.kernels.radial import RBF, Energy, InverseMultiquadric, Laplacian, RationalQuadratic

__all__ = [
    "RBF",
    "Energy",
    "InverseMultiquadric",
    "Kernel",
    "Laplacian",
    "Mixture",
    "RationalQuadratic",
    "Spec",
    "from_spec",
]
