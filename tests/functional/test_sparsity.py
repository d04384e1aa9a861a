"""The divergence of a unit's mean activation from a target."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from interpreg.functional import sparsity_kl


def test_a_unit_that_is_off_everywhere_is_not_lost() -> None:
    """log(mean(sigmoid(z))) of z = -200 is -200, where a sigmoid of fp32 is 0."""
    z = torch.full((8, 1), -200.0, requires_grad=True)
    loss = sparsity_kl(z, target=0.05)
    expected = 0.05 * (math.log(0.05) + 200) + 0.95 * math.log(0.95)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float32))
    loss.backward()
    torch.testing.assert_close(z.grad, torch.full((8, 1), -0.05 / 8))


def test_the_divergence_is_zero_at_the_target_and_finite_far_from_it() -> None:
    at = torch.full((5, 3), math.log(0.2 / 0.8)).double()
    assert sparsity_kl(at, target=0.2).abs() < 1e-15
    assert sparsity_kl(torch.full((5, 3), 300.0), target=0.2).isfinite()
    assert sparsity_kl(torch.randn(5), target=0.2).shape == ()


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"z": torch.ones(3).long()}, TypeError, "z: expected a floating point tensor"),
    ({"z": torch.ones(3, 2, 1), "mask": torch.ones(3)}, TypeError, "mask: expected a boolean"),
    ({"z": torch.ones(3), "target": 0.0}, ValueError, "target: expected a number strictly between 0 and 1"),
    ({"z": torch.ones(3), "target": 1.0}, ValueError, "target: expected a number strictly between 0 and 1"),
])  # fmt: skip
def test_wrong_arguments_are_named(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sparsity_kl(**arguments)


def test_it_is_the_mean_over_units_of_the_divergence_of_two_bernoullis() -> None:
    z = torch.randn(5, 3, 2).double()
    rates = torch.sigmoid(z).mean(0)
    expected = kl_divergence(Bernoulli(torch.full_like(rates, 0.1)), Bernoulli(rates)).mean()
    torch.testing.assert_close(sparsity_kl(z, target=0.1), expected)
    mask = torch.arange(3) < torch.tensor([3, 1, 2, 3, 1])[:, None]
    torch.testing.assert_close(sparsity_kl(z, target=0.1, mask=mask), sparsity_kl(z[mask], target=0.1))
