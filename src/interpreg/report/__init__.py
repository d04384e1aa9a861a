"""A report on how an autoencoder interpolates: a table, a JSON file, a page with pictures."""

from interpreg.report.measure import Measure
from interpreg.report.report import Report, interpolation_report
from interpreg.report.truth import Curves

__all__ = ["Curves", "Measure", "Report", "interpolation_report"]
