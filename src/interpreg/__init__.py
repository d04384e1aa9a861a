"""Composable losses that make an autoencoder you already have interpolate better."""

from interpreg import datasets, functional, kernels, metrics, plots, priors
from interpreg._types import Term
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.recipes import ACAIRegularizer, LRAERegularizer, MIAERegularizer, MIDRAERegularizer
from interpreg.regularizers import (
    Adversary,
    Critic,
    DualCritic,
    MMDPrior,
    Players,
    Reconstruction,
    Regularizer,
    SinkhornPrior,
    Sum,
    fresh_copy,
)

__version__ = "0.1.0"

__all__ = [
    "ACAIRegularizer",
    "Adversary",
    "Batch",
    "Critic",
    "DualCritic",
    "Interpolator",
    "LRAERegularizer",
    "MIAERegularizer",
    "MIDRAERegularizer",
    "MMDPrior",
    "Players",
    "Reconstruction",
    "Regularizer",
    "SinkhornPrior",
    "Sum",
    "Term",
    "datasets",
    "fresh_copy",
    "functional",
    "kernels",
    "metrics",
    "plots",
    "priors",
]
