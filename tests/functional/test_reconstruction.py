"""How far images are from the data: squares, absolute values, a Bernoulli's cross-entropy."""

import pytest
import torch
from torch.distributions import Bernoulli

from interpreg.functional import reconstruction_loss


def test_named_losses_are_means_over_all_elements() -> None:
    x_hat, x = torch.tensor([[1.0, -1.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    assert reconstruction_loss(x_hat, x) == (1 + 4 + 9 + 0) / 4
    assert reconstruction_loss(x_hat, x, "l1") == (1 + 2 + 3 + 0) / 4


def test_bernoulli_is_the_likelihood_of_pixels_in_zero_and_one() -> None:
    logits, x = 3 * torch.randn(5, 7), torch.rand(5, 7).round() * 2 - 1
    likelihood = Bernoulli(logits=logits).log_prob((x + 1) / 2)
    torch.testing.assert_close(reconstruction_loss(logits, x, "bernoulli"), -likelihood.mean())


@pytest.mark.parametrize("loss", ["mse", "l1", "bernoulli"])
def test_with_a_mask_they_are_means_over_valid_positions(sequences, loss: str) -> None:
    x, mask = sequences.x.tanh(), sequences.mask
    x_hat = torch.randn_like(x)
    alone = reconstruction_loss(x_hat[mask], x[mask], loss)
    torch.testing.assert_close(reconstruction_loss(x_hat, x, loss, mask), alone)


def test_a_loss_that_is_not_a_scalar_and_a_mask_that_does_not_fit_are_refused() -> None:
    x = torch.randn(4, 5, 3)
    with pytest.raises(ValueError, match=r"reconstruction loss: expected a 0-dim tensor from it, got a torch"):
        reconstruction_loss(x, x, lambda a, b: (a - b).square())
    with pytest.raises(ValueError, match=r"mask: expected the first two axes of x, \(4, 5\), got"):
        reconstruction_loss(x, x, mask=torch.ones(4, 6, dtype=torch.bool))
