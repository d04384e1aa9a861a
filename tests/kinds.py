"""One autoencoder as users may have it: with shared layers, scripted, as bound methods, wrapped."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint
from zoo import Zoo


class Kind(NamedTuple):
    """A pair, which computes what the plain one computes, with the same parameters."""

    encoder: Callable[[Tensor], Tensor]
    decoder: Callable[[Tensor], Tensor]


class TwoNames(nn.Module):
    """Its first layer is an attribute as well."""

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.first, self.network = network[0], network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class Repeated(nn.Module):
    """Calls one layer twice."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.tanh(self.layer(x))))


class Transposed(nn.Module):
    """A linear layer with the weight of another, transposed."""

    def __init__(self, of: nn.Linear) -> None:
        super().__init__()
        self.weight = of.weight

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.weight


class Around(nn.Module):
    """Another module around a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class Checkpointed(Around):
    """Recomputes its network in the backward."""

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.network, x, use_reentrant=False)


class Whole(nn.Module):
    """Encoder and decoder are its methods."""

    def __init__(self, pair: Zoo) -> None:
        super().__init__()
        self.down, self.up = pair.encoder, pair.decoder

    def encode(self, x: Tensor) -> Tensor:
        return self.down(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.up(z)


def plain_pair(size: int = 6) -> Zoo:
    """In double precision, with a layer that is called twice, a normalisation, and tied weights."""
    first, middle = nn.Linear(9, 5), Repeated(5)
    last = nn.Linear(5, 4)
    encoder = nn.Sequential(first, middle, last)
    decoder = nn.Sequential(Transposed(last), nn.Tanh(), nn.LayerNorm(5), middle, nn.Linear(5, 9))
    encoder.code_shape = (4,)
    return Zoo(encoder.double(), decoder.double(), torch.rand(size, 9, dtype=torch.float64) * 2 - 1)


def _each(wrap: Callable[[nn.Module], Callable[[Tensor], Tensor]]) -> Callable[[Zoo], Kind]:
    return lambda pair: Kind(wrap(pair.encoder), wrap(pair.decoder))


def _traced(pair: Zoo) -> Kind:
    codes = pair.encoder(pair.x)
    traced = (torch.jit.trace(n, v) for n, v in ((pair.encoder, pair.x), (pair.decoder, codes)))
    return Kind(*traced)


def _methods(pair: Zoo) -> Kind:
    whole = Whole(pair)
    return Kind(whole.encode, whole.decode)


KINDS: dict[str, Callable[[Zoo], Kind]] = {
    "two names": _each(TwoNames), "around": _each(Around), "checkpointed": _each(Checkpointed),
    "scripted": _each(torch.jit.script), "traced": _traced, "symbolic": _each(fx.symbolic_trace),
    "methods": _methods, "functions": _each(lambda network: lambda value: network(value)),
    "partials": _each(lambda network: partial(Around.forward, Around(network))),
    "data parallel": _each(nn.DataParallel),
}  # fmt: skip
