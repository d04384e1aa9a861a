"""Composable losses that make an autoencoder you already have interpolate better."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interpreg import functional, kernels, priors, recipes, regularizers
from interpreg._types import Mix, Term
from interpreg.batch import Batch
from interpreg.bottlenecks import DenoisingBottleneck, DropoutBottleneck, GaussianBottleneck, VectorQuantizer
from interpreg.interpolator import Interpolator
from interpreg.needs import AtLeast, Decode
from interpreg.recipes import *
from interpreg.regularizers import *

if TYPE_CHECKING:
    from interpreg import datasets, metrics, plots
    from interpreg.diagnosis import diagnose
    from interpreg.report import interpolation_report

__version__ = "0.1.0"

__all__ = [
    "AtLeast",
    "Batch",
    "Decode",
    "DenoisingBottleneck",
    "DropoutBottleneck",
    "GaussianBottleneck",
    "Interpolator",
    "Mix",
    "Term",
    "VectorQuantizer",
    "datasets",
    "diagnose",
    "functional",
    "interpolation_report",
    "kernels",
    "metrics",
    "plots",
    "priors",
]
__all__ += recipes.__all__
__all__ += regularizers.__all__

_ON_DEMAND = {"datasets", "metrics", "plots"}  # imported when first used: training needs none of them


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return import_module(f"interpreg.{name}")
    if name == "interpolation_report":
        return import_module("interpreg.report").interpolation_report
    if name == "diagnose":
        return import_module("interpreg.diagnosis").diagnose
    raise AttributeError(f"module 'interpreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
