"""Kernels: functions of the distance between two codes, frozen dataclasses of plain numbers without tensors."""

from interpreg.kernels.base import Kernel, Mixture, Spec
from interpreg.kernels.radial import (
    RBF,
    Energy,
    InverseMultiquadric,
    Laplacian,
    RationalQuadratic,
    as_kernel,
    from_spec,
)

__all__ = [
    "RBF",
    "Energy",
    "InverseMultiquadric",
    "Kernel",
    "Laplacian",
    "Mixture",
    "RationalQuadratic",
    "Spec",
    "as_kernel",
    "from_spec",
]
