"""Composable losses that make an autoencoder you already have interpolate better."""

from interpreg import datasets, functional, metrics, plots
from interpreg.interpolator import Interpolator
from interpreg.recipes import ACAIRegularizer
from interpreg.regularizers import Critic, Players, Reconstruction, Regularizer, Sum, fresh_copy

__version__ = "0.1.0"

__all__ = [
    "ACAIRegularizer",
    "Critic",
    "Interpolator",
    "Players",
    "Reconstruction",
    "Regularizer",
    "Sum",
    "datasets",
    "fresh_copy",
    "functional",
    "metrics",
    "plots",
]
