"""Regularizers named after papers: each a composition of terms, and nothing more."""

from interpreg.recipes.acai import ACAIRegularizer

__all__ = ["ACAIRegularizer"]
