"""Padded sequences, and networks of each of their positions."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

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


class Attending(nn.Module):
    """Self-attention by torch's own layers, whose padding mask is True where padded."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(size_in, 8), nn.Linear(8, size_out)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.last(self.layers(self.first(x), src_key_padding_mask=~mask))


class Packed(nn.Module):
    """A GRU in both directions over packed sequences, which are valid up to their lengths."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size_in, 6, batch_first=True, bidirectional=True)
        self.last = nn.Linear(12, size_out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.last(hidden)


class Convolving(nn.Module):
    """A convolution over positions, of which only the output is masked."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(size_in, 8, 3, padding=1), nn.Linear(8, size_out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.last(self.first(x.mT).mT.tanh()) * mask[..., None]


class Pooled(nn.Module):
    """A vector for a whole sequence, the sum over its valid positions."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.layer = nn.Linear(size_in, size_out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (self.layer(x).tanh() * mask[..., None]).sum(1)


class Unrolled(nn.Module):
    """The positions of a sequence from a vector."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.layer, self.time = nn.Linear(size_in, size_out), nn.Parameter(torch.randn(5, size_out))

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        return self.time * self.layer(z)[:, None]


NETWORKS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "attention": (Attending, Attending), "recurrence": (Packed, Packed), "convolution": (Convolving, Convolving),
    "a vector": (Pooled, Unrolled),
}  # fmt: skip
