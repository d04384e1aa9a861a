"""Padded sequences, and networks of each of their positions."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

LENGTHS = [5, 2, 3, 4]


class Positions(nn.Module):
    """A network of every position alone; what it says of padding is as wild as what it is given."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size_in, 8), nn.Tanh(), nn.Linear(8, size_out))
        self.masks: list[Tensor] = []

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        self.masks.append(mask)
        return self.layers(x)


class Tokens(nn.Linear):
    """A layer of every position alone, which takes a mask and does not look at it."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x)


def valid() -> Tensor:
    """The mask ``[4, 5]`` of sequences that are ``LENGTHS`` long."""
    return torch.arange(5) < torch.tensor(LENGTHS)[:, None]


class Sequences(NamedTuple):
    """A pair, sequences and where they are valid."""

    encoder: Positions
    decoder: Positions
    x: Tensor
    mask: Tensor
