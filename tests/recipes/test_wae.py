"""The Wasserstein autoencoder, written out straight."""

import pytest
import torch
from step_for_step import agree
from torch import Tensor
from zoo import vector_pair

from interpreg import MMDPrior, SinkhornPrior, WAERegularizer
from interpreg.kernels import RBF


def test_wae_with_samples_is_algorithm_two() -> None:
    """Its U-statistic of seven inverse multiquadrics, as in the authors' code: C / (C + d^2), C = 2 d s."""
    network, decoder, x = vector_pair()
    prior = torch.randn(6, 4)
    reg = WAERegularizer(network, decoder, prior=lambda n: prior[:n], weight=0.3)
    z = network(x)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = (a[:, None] - b[None]).square().sum(-1)
        return sum(8 * s / (8 * s + squares) for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))

    off = ~torch.eye(6, dtype=torch.bool)
    mmd = kernel(z, z)[off].mean() + kernel(prior, prior)[off].mean() - 2 * kernel(z, prior).mean()
    expected = {"reconstruction": ((decoder(z) - x) ** 2).mean(), "mmd": 0.3 * mmd}
    agree(reg, x, expected, [*network.parameters(), *decoder.parameters()])


def test_wae_hands_its_arguments_on() -> None:
    encoder, decoder, x = vector_pair()
    kernel = RBF((1.0, 2.0))
    reg = WAERegularizer(encoder, decoder, kernel=kernel, weight=0.5, reconstruction=None)
    torch.testing.assert_close(reg(x)["mmd"], MMDPrior(encoder, decoder, kernel=kernel, weight=0.5)(x)["mmd"])
    generators = [torch.Generator().manual_seed(2) for _ in range(2)]
    options = {"prior": "ball", "weight": 0.5, "samples": 9}
    reg = WAERegularizer(encoder, decoder, divergence="sinkhorn", generator=generators[0], **options)
    alone = SinkhornPrior(encoder, decoder, generator=generators[1], **options)
    losses = reg(x)
    assert list(losses) == ["reconstruction", "sinkhorn"]
    torch.testing.assert_close(losses["sinkhorn"], alone(x)["sinkhorn"])
    assert WAERegularizer(encoder, decoder).parts["mmd"].weight == 0.01


def test_an_unknown_divergence_and_a_kernel_that_has_no_use_are_refused() -> None:
    encoder, decoder, _ = vector_pair()
    with pytest.raises(ValueError, match="divergence: expected one of 'mmd', 'sinkhorn', got 'gan'"):
        WAERegularizer(encoder, decoder, divergence="gan")
    with pytest.raises(ValueError, match="kernel: expected None"):
        WAERegularizer(encoder, decoder, divergence="sinkhorn", kernel=RBF(1.0))
