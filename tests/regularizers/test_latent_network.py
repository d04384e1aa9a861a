"""The default network of a latent critic: as published, for codes of every rank."""

import math

import pytest
import torch
from sequences import LENGTHS, Positions, valid
from zoo import Zoo

from interpreg import LatentCritic, latent_network


def test_the_default_network_is_the_published_one() -> None:
    network = latent_network((4, 2, 2))
    assert [tuple(p.shape) for p in network.parameters()] == [
        (100, 16), (100,), (100, 100), (100,), (1, 100), (1,),
    ]  # fmt: skip
    biases = [p for p in network.parameters() if p.ndim == 1]
    assert all((b == 0).all() for b in biases)
    for weight in (p for p in network.parameters() if p.ndim == 2):
        bound = math.sqrt(6 / sum(weight.shape))  # Glorot's
        assert 0.9 * bound < weight.abs().max() <= bound
    z = torch.randn(3, 4, 2, 2)
    h = z.flatten(1)
    for layer in (network.first, network.second):
        h = h @ layer.weight.T + layer.bias
        h = torch.where(h > 0, h, 0.2 * h)
    torch.testing.assert_close(network(z), h @ network.last.weight.T + network.last.bias)


def test_codes_of_every_rank_and_maps_have_networks(zoo: Zoo) -> None:
    z = zoo.encoder(zoo.x)
    assert latent_network(zoo.encoder.code_shape)(z).shape == (len(z), 1)
    if z.ndim > 2:
        network = latent_network((z.shape[1], *[None] * (z.ndim - 2)), "convolutional", hidden=7)
        assert network(z).shape == network(torch.cat([z, z], -1)).shape == (len(z), 1)
        reg = LatentCritic(zoo.encoder, zoo.decoder, network)
        sum(reg(zoo.x).values()).backward()
        assert all(p.grad is not None for p in network.parameters())


def test_pooling_is_the_mean_over_valid_positions() -> None:
    network, mask = latent_network((None, 2)), valid()
    z = torch.randn(4, 5, 2)
    alone = torch.cat([network(row[None, :length]) for row, length in zip(z, LENGTHS, strict=True)])
    torch.testing.assert_close(network(z, mask), alone)
    torch.testing.assert_close(network(z[:, [4, 0, 2, 1, 3]]), network(z))  # the order is not seen


def test_a_network_of_flattened_codes_says_what_it_wants_beside_a_mask() -> None:
    reg = LatentCritic(Positions(3, 2), Positions(2, 3), code_shape=(5, 2))
    with pytest.raises(ValueError, match=r"flattened codes; make it with code_shape=\(None, D\)"):
        reg(torch.randn(4, 5, 3), mask=torch.ones(4, 5, dtype=torch.bool))


@pytest.mark.parametrize(("arguments", "message"), [
    ({"kind": "mlp"}, r"kind: expected one of 'auto', 'flat', 'tokens', 'convolutional', got 'mlp'"),
    ({"hidden": 0}, r"hidden: expected an int of at least 1, got 0"),
    ({"kind": "convolutional"}, r"code_shape: expected \(C, L\), .* got None"),
    ({"code_shape": (4,), "kind": "convolutional"}, r"code_shape: expected \(C, L\), .* got \(4,\)"),
    ({"code_shape": (4,), "kind": "tokens"}, r"code_shape: expected \(T, D\) for kind='tokens', got \(4,\)"),
])  # fmt: skip
def test_bad_networks_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        latent_network(**arguments)
