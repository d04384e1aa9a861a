"""Distributions that codes are drawn towards."""

from interpreg.priors.base import Prior, Sampler, as_prior
from interpreg.priors.shapes import Ball, Normal, Sphere

__all__ = ["Ball", "Normal", "Prior", "Sampler", "Sphere", "as_prior"]
