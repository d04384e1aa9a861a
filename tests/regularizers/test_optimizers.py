"""Optimizers that lack parameters of the autoencoder, or hold those of a copy."""

import copy

import pytest
import torch
from torch import Tensor, nn

from interpreg import GaussianBottleneck, MMDPrior, Reconstruction, Regularizer, VAERegularizer

SGD = torch.optim.SGD


class Autoencoder(nn.Module):
    """Two methods of one module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 4), nn.Linear(4, 6)

    def encode(self, x: Tensor) -> Tensor:
        return self.inner(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.outer(z)


@pytest.mark.fault(
    "Bottlenecks",
    "An optimizer is made before `GaussianBottleneck.dense` adds its heads.",
    now="`ValueError` from `check_optimizers`, which names a parameter of theirs",
)
def test_heads_that_came_after_the_optimizer_are_missed() -> None:
    network, decoder = nn.Linear(6, 4), nn.Linear(4, 6)
    early = SGD([*network.parameters(), *decoder.parameters()], lr=0.1)
    encoder = GaussianBottleneck.dense(network, (4,))
    reg = VAERegularizer(encoder, decoder)
    with pytest.raises(
        ValueError, match=r"parameter of the encoder, but 4 are in none .* 'mean_head.1.weight'; make"
    ):
        reg.check_optimizers(early)
    reg.check_optimizers(SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1))
    reg.check_optimizers(
        early, SGD([*encoder.mean_head.parameters(), *encoder.log_variance_head.parameters()], lr=1)
    )
    for head in (encoder.mean_head, encoder.log_variance_head):
        head.requires_grad_(False)
    reg.check_optimizers(early)


@pytest.mark.parametrize("kind", ["modules", "functions", "methods"])
def test_a_layer_of_the_encoder_or_the_decoder_that_is_left_out_is_named(kind: str) -> None:
    whole = Autoencoder()
    inner, outer = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))
    reg: Regularizer = {
        "modules": lambda: Reconstruction(inner, outer),
        "functions": lambda: Reconstruction(lambda x: inner(x), lambda z: outer(z)),
        "methods": lambda: Reconstruction(whole.encode, whole.decode),
    }[kind]()
    everything = [*whole.parameters()] if kind == "methods" else [*inner.parameters(), *outer.parameters()]
    reg.check_optimizers(SGD(everything, lr=0.1))
    reg.check_optimizers(*(SGD([p], lr=0.1) for p in everything))
    for index in (0, -1):
        role = "decoder" if index == -1 and kind != "methods" else "encoder"
        rest = [p for p in everything if p is not everything[index]]
        with pytest.raises(ValueError, match=f"every parameter of the {role}, but 1 are in none"):
            reg.check_optimizers(SGD(rest, lr=0.1))


@pytest.mark.parametrize("given", [None, [], "adam"])
def test_what_is_no_optimizer_is_named(given: object) -> None:
    reg = MMDPrior(nn.Linear(6, 4), nn.Linear(4, 6))
    with pytest.raises(
        TypeError, match=r"optimizers: expected optimizers, .* reg.check_optimizers\(first, second\)"
    ):
        reg.check_optimizers(given)


@pytest.mark.fault(
    "Arguments",
    "An optimizer holds the parameters of a network of which the regularizer has a copy.",
    now="`ValueError` from `check_optimizers`",
)
def test_parameters_of_a_copy_are_recognised() -> None:
    encoder, decoder = nn.Linear(6, 4), nn.Linear(4, 6)
    reg = MMDPrior(copy.deepcopy(encoder), decoder)
    optimizer = SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
    with pytest.raises(
        ValueError, match=r"parameters of the encoder that .* but 2 .* of a copy, are held instead"
    ):
        reg.check_optimizers(optimizer)
    # what is no copy, and trained here or elsewhere, is the user's affair
    reg.check_optimizers(SGD([*decoder.parameters(), *nn.Linear(6, 3).parameters()], lr=0.1))
    reg.check_optimizers(SGD([*decoder.parameters()], lr=0.1))
