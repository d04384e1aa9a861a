"""A warning of a critic whose mean judgement is the same for every image, or cannot reach the coefficients."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from interpreg._later import Later, is_capturing, is_look, is_paused
from interpreg._warnings import warn
from interpreg.mmd.dispatch import is_plain, is_transformed

LEAST = 4  # samples
ROUNDED = 1e-5  # of the outputs, by which they vary over samples where that may tell anything
RESOLVED = 1e-3  # where it does
CONSTANT = 1e-4  # how much less the means vary: by roundings, and not as means of independent elements
NORMED = 1e-3  # how much less the norms vary
LARGEST = 0.5  # coefficient, by default


class BlindCriticCheck:
    """One look at what a critic network gives, in its first calls, without waiting for the device.

    A network that ends in a layer normalisation or a softmax, as a copy of such an encoder does, has a mean that is
    constant to rounding, so that neither player has a gradient; one that ends in a normalisation to length 1 has a mean
    of at most 1 / sqrt(d).
    """

    def __init__(self) -> None:
        self.is_over = False
        self.calls = 0
        self.later = Later()

    def after(self, output: Tensor, judgement: Tensor, loss: str) -> None:
        """Look at the output for a batch and at its mean for each sample, at some calls until there was a result."""
        if torch.compiler.is_compiling() or is_paused() or is_transformed() or not is_plain(output):
            return
        self.calls += 1
        if output.numel() == len(output) or output.dtype not in (torch.float32, torch.float64):
            self.is_over = output.numel() == len(output)
            return
        if len(output) < LEAST or not (is_look(self.calls) or self.later.is_pending) or is_capturing(output):
            return
        numbers = self.later.read(partial(_statistics, output, judgement))
        if numbers is None or numbers[1] <= ROUNDED * numbers[3]:
            return
        fault = _fault(output[0].numel(), loss, *numbers)
        self.is_over = bool(fault) or numbers[1] > RESOLVED * numbers[3]  # else at a later call
        if fault:
            warn(fault)

    def __reduce__(self) -> tuple[Any, ...]:  # a copy looks for itself
        return BlindCriticCheck, ()


@torch.no_grad()
def _statistics(output: Tensor, judgement: Tensor) -> Tensor:
    """How much means, elements and norms vary over samples, and the mean norm."""
    rows = output.detach().flatten(1).double()
    norms = rows.norm(dim=1)
    return torch.stack([judgement.detach().double().std(), rows.std(0).norm(), norms.std(), norms.mean()])


def _fault(size: int, loss: str, means: float, elements: float, norms: float, norm: float) -> str:
    """What is wrong, with the line that mends it; else an empty string."""
    instead = f"critic=nn.Sequential(fresh_copy(encoder), nn.Flatten(), nn.Linear({size}, 1))"
    if means < CONSTANT * elements / math.sqrt(size):
        return (
            "critic: expected a judgement that depends on the image, got the same for all, because the mean of its "
            "outputs (judge='mean') is constant, as behind a layer normalisation or a softmax, so that interpolants "
            f"get no gradient; give {instead}"
        )
    bound = norm / math.sqrt(size)
    if loss == "regression" and bound < LARGEST and norms < NORMED * elements / math.sqrt(size):
        return (
            f"critic: expected a judgement that reaches the coefficients, up to {LARGEST}, got the mean of outputs "
            f"of constant length {norm:.3g}, which is at most {bound:.2g}; give {instead}"
        )
    return ""
