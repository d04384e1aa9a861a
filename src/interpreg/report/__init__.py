"""A report on the interpolations of an autoencoder: a table, a JSON file, a page with pictures."""

from interpreg.report.metric import Metric
from interpreg.report.report import interpolation_report
from interpreg.report.result import Report
from interpreg.report.truth import Curves

__all__ = ["Curves", "Metric", "Report", "interpolation_report"]
