"""SinkhornPrior: against exact transport in one dimension, and loud where geomloss is silently wrong."""

import pytest
import torch
from calls import trained
from sequences import Sequences
from torch import nn

from interpreg import SinkhornPrior


def against(samples: torch.Tensor, **arguments: object) -> SinkhornPrior:
    return SinkhornPrior(nn.Identity(), nn.Identity(), prior=lambda n: samples, samples=len(samples), **arguments)


@pytest.mark.parametrize("p", [1, 2])
def test_is_optimal_transport_as_the_blur_vanishes(p: int) -> None:
    """In one dimension the optimal plan sorts: W_p^p = mean |x_(i) - z_(i)|^p, and the cost is divided by p."""
    x, z = torch.randn(64, 1).double(), 2 * torch.randn(64, 1).double() + 1
    ours = against(z, p=p, blur=1e-3, scaling=0.99)(x)["sinkhorn"]
    exact = (x.sort(0).values - z.sort(0).values).abs().pow(p).mean() / p
    torch.testing.assert_close(ours, exact, rtol=5e-3, atol=0)


def test_of_padded_sequences_it_is_that_of_the_valid_positions(sequences: Sequences) -> None:
    encoder, decoder, x, mask = sequences
    samples, codes = torch.randn(14, 2), encoder.layers(x)[mask]
    padded = SinkhornPrior(encoder, decoder, prior=lambda n: samples[:n])(x, mask=mask)["sinkhorn"]
    torch.testing.assert_close(padded, against(samples)(codes)["sinkhorn"])
    nothing = SinkhornPrior(encoder, decoder)(x, mask=torch.zeros_like(mask))["sinkhorn"]
    assert nothing == 0


def test_gradient_is_the_derivative_of_the_converged_value() -> None:
    """geomloss takes one iteration a temperature, so what is missing to convergence shrinks with ``scaling``."""
    x, z = torch.randn(12, 2).double().requires_grad_(), torch.randn(12, 2).double()
    step = 1e-5 * torch.randn_like(x)
    errors = []
    for scaling in (0.5, 0.9, 0.998):
        reg = against(z, blur=0.5, scaling=scaling)
        (slope,) = torch.autograd.grad(reg(x)["sinkhorn"], x)
        with torch.no_grad():
            difference = reg(x + step)["sinkhorn"] - reg(x - step)["sinkhorn"]
        errors.append(((difference / (2 * (slope * step).sum())) - 1).abs().item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_a_second_derivative_is_refused() -> None:
    x = torch.randn(8, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="SinkhornPrior: expected a gradient that is not differentiated again"):
        torch.autograd.grad(against(torch.randn(8, 2))(x)["sinkhorn"], x, create_graph=True)


def test_training_brings_the_codes_to_the_prior() -> None:
    encoder, x = nn.Linear(3, 2), torch.randn(128, 3)
    encoder.weight.data.mul_(3)
    reg = SinkhornPrior(encoder, nn.Linear(2, 3))
    codes = trained(reg, x, 150)
    assert codes.mean(0).abs().max() < 0.2
    assert codes.std(0).sub(1).abs().max() < 0.2


@pytest.mark.parametrize(("arguments", "message"), [
    ({"p": 3}, "p: expected 1 or 2, got 3"),
    ({"samples": 1}, "samples: expected an int of at least 2, got 1"),
    ({"blur": 0.0}, "blur: expected a finite number of at least 1e-12, got 0.0"),
    ({"scaling": 1.0}, r"scaling: expected a finite number in \[0.001, 0.999\], got 1.0"),
])  # fmt: skip
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SinkhornPrior(nn.Identity(), nn.Identity(), **arguments)
