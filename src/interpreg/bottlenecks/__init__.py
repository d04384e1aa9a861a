"""Wrappers of an encoder that make it variational, quantized, dropped out or denoising."""

from interpreg.bottlenecks.base import Bottleneck
from interpreg.bottlenecks.gaussian import GaussianBottleneck, Posterior
from interpreg.bottlenecks.noise import DenoisingBottleneck, DropoutBottleneck
from interpreg.bottlenecks.quantized import Quantized, VectorQuantizer

__all__ = [
    "Bottleneck",
    "DenoisingBottleneck",
    "DropoutBottleneck",
    "GaussianBottleneck",
    "Posterior",
    "Quantized",
    "VectorQuantizer",
]
