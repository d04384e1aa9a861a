"""Measures of interpolations and of codes; useful without any loss of this package."""

from interpreg.metrics.admissible import Admissibility, admissibility
from interpreg.metrics.clustering import Clustering, clustering, clustering_accuracy
from interpreg.metrics.correlation import correlation, dead_units, latent_correlation
from interpreg.metrics.features import PathLength, frechet_distance, perceptual_path_length
from interpreg.metrics.lines import LineScores, line_scores
from interpreg.metrics.nearest import Nearest, nearest
from interpreg.metrics.paths import PathScores, path_scores
from interpreg.metrics.probes import OnlineProbe, linear_probe, median_of_last
from interpreg.metrics.retrieval import RetrievedAlpha, retrieved_alpha
from interpreg.metrics.truth import (
    ErrorByInterval,
    InterpolationError,
    error_by_interval,
    interpolation_error,
    intervals,
)

__all__ = [
    "Admissibility",
    "Clustering",
    "ErrorByInterval",
    "InterpolationError",
    "LineScores",
    "Nearest",
    "OnlineProbe",
    "PathLength",
    "PathScores",
    "RetrievedAlpha",
    "admissibility",
    "clustering",
    "clustering_accuracy",
    "correlation",
    "dead_units",
    "error_by_interval",
    "frechet_distance",
    "interpolation_error",
    "intervals",
    "latent_correlation",
    "line_scores",
    "linear_probe",
    "median_of_last",
    "nearest",
    "path_scores",
    "perceptual_path_length",
    "retrieved_alpha",
]
