"""The divergence of a Gaussian from the standard normal, against torch's own and in closed form."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from interpreg.functional import kl_to_normal, sample_normal


def test_the_divergence_is_torch_distributions() -> None:
    mean, log_variance = torch.randn(50, 3).double() * 3, torch.randn(50, 3).double() * 3
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(1).double(), 1.0))
    torch.testing.assert_close(kl_to_normal(mean, log_variance), expected)


def test_gradients_are_the_closed_form() -> None:
    mean, log_variance = (torch.randn(20).double().requires_grad_() for _ in range(2))
    kl_to_normal(mean, log_variance).sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach())
    torch.testing.assert_close(log_variance.grad, (log_variance.detach().exp() - 1) / 2)


def test_near_the_prior_no_digits_are_lost() -> None:
    """To second order it is log_variance^2 / 4, which var - 1 - log(var) in fp32 would round to multiples of 6e-8."""
    small = torch.tensor([1e-3, -1e-3])
    expected = small.double().square() / 4 + small.double() ** 3 / 12
    torch.testing.assert_close(kl_to_normal(torch.zeros(2), small).double(), expected, rtol=1e-3, atol=0)


def test_half_precision_is_widened_before_the_exponential() -> None:
    ours = kl_to_normal(torch.zeros(1, dtype=torch.float16), torch.full((1,), 12.0, dtype=torch.float16))
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, (torch.tensor([12.0]).exp() - 13) / 2)


@pytest.mark.parametrize("function", [kl_to_normal, sample_normal])
def test_arguments_of_the_functions(function) -> None:
    with pytest.raises(TypeError, match=r"mean: expected a tensor, got 1\.0"):
        function(1.0, torch.zeros(1))
    with pytest.raises(TypeError, match="log_variance: expected a floating point tensor"):
        function(torch.zeros(1), torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match="log_variance: expected the shape of the mean"):
        function(torch.zeros(2), torch.zeros(1))
