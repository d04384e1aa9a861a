"""Composable losses that make an autoencoder you already have interpolate better."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interpreg import functional, kernels, priors
from interpreg._types import Mix, Term
from interpreg.batch import AtLeast, Batch, Decode
from interpreg.bottlenecks import DenoisingBottleneck, DropoutBottleneck, GaussianBottleneck, VectorQuantizer
from interpreg.interpolator import Interpolator
from interpreg.recipes import (
    MIDRAE_WEIGHTS,
    AAERegularizer,
    ACAIRegularizer,
    AEAIRegularizer,
    AMRRegularizer,
    DenoisingRegularizer,
    DropoutRegularizer,
    GAIARegularizer,
    LRAERegularizer,
    MIAERegularizer,
    MIDRAERegularizer,
    SparseRegularizer,
    VAERegularizer,
    VQVAERegularizer,
    WAERegularizer,
)
from interpreg.regularizers import (
    Adaptive,
    Adversary,
    AlphaSmoothness,
    AutoencodingCritic,
    CodeDropout,
    Commitment,
    Critic,
    CycleConsistency,
    Denoising,
    DualCritic,
    KLPrior,
    LatentCritic,
    MMDPrior,
    PairwiseDistance,
    Players,
    Ramp,
    Reconstruction,
    Regularizer,
    SinkhornPrior,
    Sparsity,
    Sum,
    Weight,
    fresh_copy,
    latent_network,
    spectral_norm,
)

if TYPE_CHECKING:
    from interpreg import datasets, metrics, plots
    from interpreg.report import interpolation_report

__version__ = "0.1.0"

__all__ = [
    "MIDRAE_WEIGHTS",
    "AAERegularizer",
    "ACAIRegularizer",
    "AEAIRegularizer",
    "AMRRegularizer",
    "Adaptive",
    "Adversary",
    "AlphaSmoothness",
    "AtLeast",
    "AutoencodingCritic",
    "Batch",
    "CodeDropout",
    "Commitment",
    "Critic",
    "CycleConsistency",
    "Decode",
    "Denoising",
    "DenoisingBottleneck",
    "DenoisingRegularizer",
    "DropoutBottleneck",
    "DropoutRegularizer",
    "DualCritic",
    "GAIARegularizer",
    "GaussianBottleneck",
    "Interpolator",
    "KLPrior",
    "LRAERegularizer",
    "LatentCritic",
    "MIAERegularizer",
    "MIDRAERegularizer",
    "MMDPrior",
    "Mix",
    "PairwiseDistance",
    "Players",
    "Ramp",
    "Reconstruction",
    "Regularizer",
    "SinkhornPrior",
    "SparseRegularizer",
    "Sparsity",
    "Sum",
    "Term",
    "VAERegularizer",
    "VQVAERegularizer",
    "VectorQuantizer",
    "WAERegularizer",
    "Weight",
    "datasets",
    "fresh_copy",
    "functional",
    "interpolation_report",
    "kernels",
    "latent_network",
    "metrics",
    "plots",
    "priors",
    "spectral_norm",
]

_ON_DEMAND = {"datasets", "metrics", "plots"}  # imported when first used: training needs none of them


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return import_module(f"interpreg.{name}")
    if name == "interpolation_report":
        return import_module("interpreg.report").interpolation_report
    raise AttributeError(f"module 'interpreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
