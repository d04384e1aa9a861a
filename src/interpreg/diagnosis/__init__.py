"""What is wrong with a regularizer, its networks, its data and its optimizers, said in words."""

from interpreg.diagnosis.result import Diagnosis, Finding, TermGradients
from interpreg.diagnosis.run import diagnose

__all__ = ["Diagnosis", "Finding", "TermGradients", "diagnose"]
