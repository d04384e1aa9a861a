"""Regularizers named after papers: each a composition of terms, and nothing more."""

from interpreg.recipes.acai import ACAIRegularizer
from interpreg.recipes.midrae import LRAERegularizer, MIAERegularizer, MIDRAERegularizer

__all__ = ["ACAIRegularizer", "LRAERegularizer", "MIAERegularizer", "MIDRAERegularizer"]
