"""Composable losses that make an autoencoder you already have interpolate better."""

from interpreg import datasets, functional, metrics, plots
from interpreg._types import Term
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.recipes import ACAIRegularizer
from interpreg.regularizers import Critic, Players, Reconstruction, Regularizer, Sum, fresh_copy

__version__ = "0.1.0"

__all__ = [
    "ACAIRegularizer",
    "Batch",
    "Critic",
    "Interpolator",
    "Players",
    "Reconstruction",
    "Regularizer",
    "Sum",
    "Term",
    "datasets",
    "fresh_copy",
    "functional",
    "metrics",
    "plots",
]
