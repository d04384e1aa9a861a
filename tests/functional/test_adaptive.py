"""The ratio of two losses' gradients."""

import math

import pytest
import torch

from interpreg.functional import adaptive_weight


def test_adaptive_weight_is_the_ratio_of_gradients() -> None:
    """Of two quadratics, whose gradients are known."""
    at = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    reference, adversarial = at.square().sum(), 0.5 * at.sum()  # gradients (6, 8) and (1/2, 1/2)
    expected = 10 / (math.sqrt(0.5) + 1e-4)
    assert adaptive_weight(reference, adversarial, at).item() == pytest.approx(expected, rel=1e-12)
    assert not adaptive_weight(reference, adversarial, at).requires_grad
    assert adaptive_weight(1e9 * reference, adversarial, at) == 1e4
    assert adaptive_weight(reference, 0 * adversarial, at) == 1e4
