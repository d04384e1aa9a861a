"""A zoo of autoencoders: codes of every rank, batch statistics, attention."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Zoo(NamedTuple):
    """An autoencoder and a batch for it."""

    encoder: nn.Module
    decoder: nn.Module
    x: Tensor


class TokenEncoder(nn.Module):
    """Codes of rank 3 with a parameter that no ``reset_parameters`` knows of."""

    code_shape = (5, 6)

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(0.1 * torch.randn(5, 6))
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        h = x + self.position
        normed = self.norm(h)  # before the attention: a copy that ends in it would be a blind critic
        return h + self.attention(normed, normed, normed, need_weights=False)[0]


class Recurrent(nn.Module):
    """A GRU, whose flattened weights are easy to freeze wrongly."""

    code_shape = (7, 4)

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size_in, 6, batch_first=True)
        self.out = nn.Linear(6, size_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gru(x)[0])


class Constant(nn.Module):
    """A critic that always says the same, and the opposite of what is 9 everywhere."""

    def __init__(self, value: float, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.value, self.shape = nn.Parameter(torch.tensor(value)), shape

    def forward(self, x: Tensor) -> Tensor:
        sign = torch.where(x.flatten(1).eq(9).all(1), -1, 1)
        return (self.value * sign).view(-1, *[1] * len(self.shape)).expand(-1, *self.shape)


def images(*shape: int) -> Tensor:
    """Noise in [-1, 1], where images are expected."""
    return 2 * torch.rand(shape) - 1


def observed(x_hat: Tensor, x: Tensor) -> Tensor:
    """A reconstruction loss over the values that are there."""
    return (x_hat - x)[x.isfinite()].square().mean()


def recurrent_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 3 from GRUs."""
    return Zoo(Recurrent(5, 4), Recurrent(4, 5), images(batch_size, 7, 5))


def vector_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 2, [B, 4], of small images."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 4))
    encoder.code_shape = (4,)
    decoder = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 64), nn.Unflatten(1, (1, 8, 8)))
    return Zoo(encoder, decoder, images(batch_size, 1, 8, 8))


def convolutional_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 4, [B, 4, 2, 2], of colour images."""
    encoder = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 4, 3, 2, 1))
    encoder.code_shape = (4, 2, 2)
    decoder = nn.Sequential(
        nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.ConvTranspose2d(8, 3, 4, 2, 1)
    )
    return Zoo(encoder, decoder, images(batch_size, 3, 8, 8))


def batch_norm_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 4 from networks with batch statistics and dropout."""
    layers = [nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.1)]
    encoder = nn.Sequential(*layers, nn.Conv2d(8, 4, 3, 2, 1))
    encoder.code_shape = (4, 2, 2)
    layers = [nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)]
    decoder = nn.Sequential(*layers, nn.ConvTranspose2d(8, 1, 4, 2, 1))
    return Zoo(encoder, decoder, images(batch_size, 1, 8, 8))


def token_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 3 from attention."""
    return Zoo(TokenEncoder(), nn.Linear(6, 6), images(batch_size, 5, 6))


def scalar_code_pair(batch_size: int = 6) -> Zoo:
    """Codes of rank 1, [B]."""
    encoder = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    encoder.code_shape = ()
    decoder = nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.Linear(1, 3))
    return Zoo(encoder, decoder, images(batch_size, 3))


PAIRS: dict[str, Callable[..., Zoo]] = {
    "rank 1": scalar_code_pair, "rank 2": vector_pair, "rank 3": token_pair, "rank 4": convolutional_pair,
    "batch norm": batch_norm_pair, "recurrent": recurrent_pair,
}  # fmt: skip
