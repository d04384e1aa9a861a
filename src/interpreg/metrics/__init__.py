"""Measures of interpolations and of codes; useful without any loss of this package."""

from interpreg.metrics.admissible import Admissibility, admissibility
from interpreg.metrics.clustering import Clustering, clustering, clustering_accuracy
from interpreg.metrics.correlation import correlation, dead_elements, latent_correlation
from interpreg.metrics.features import PathLength, frechet_distance, perceptual_path_length
from interpreg.metrics.lines import LineScores, line_scores
from interpreg.metrics.nearest import Nearest, nearest
from interpreg.metrics.paths import PathScores, path_scores
from interpreg.metrics.probes import TandemProbe, linear_probe, reported
from interpreg.metrics.retrieval import ParameterDistance, RetrievedAlpha, parameter_distance, retrieved_alpha
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
    "ParameterDistance",
    "PathLength",
    "PathScores",
    "RetrievedAlpha",
    "TandemProbe",
    "admissibility",
    "clustering",
    "clustering_accuracy",
    "correlation",
    "dead_elements",
    "error_by_interval",
    "frechet_distance",
    "interpolation_error",
    "intervals",
    "latent_correlation",
    "line_scores",
    "linear_probe",
    "nearest",
    "parameter_distance",
    "path_scores",
    "perceptual_path_length",
    "reported",
    "retrieved_alpha",
]
