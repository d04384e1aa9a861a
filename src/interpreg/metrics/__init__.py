"""Measures of interpolations and of codes; useful without any loss of this package."""

from interpreg.metrics.codes import clustering_accuracy, linear_probe
from interpreg.metrics.lines import LineScores, line_scores
from interpreg.metrics.nearest import Nearest, nearest

__all__ = ["LineScores", "Nearest", "clustering_accuracy", "line_scores", "linear_probe", "nearest"]
