"""The zoo's encoders inside bottlenecks, for codes of every rank."""

import torch
from torch import Tensor, nn
from zoo import Recurrent, TokenEncoder

from interpreg import GaussianBottleneck, VectorQuantizer


class Scale(nn.Module):
    """A head of log variances: each a number times the code, plus a number."""

    def __init__(self, slope: float = 0.5, offset: float = -1.0) -> None:
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(offset))

    def forward(self, h: Tensor) -> Tensor:
        return self.slope.to(h.dtype) * h + self.offset.to(h.dtype)


def variational(encoder: nn.Module, **options: object) -> GaussianBottleneck:
    """With the code for a mean, and a log variance that follows it."""
    return GaussianBottleneck(encoder, heads=(nn.Identity(), Scale()), **options)


def quantized(encoder: nn.Module, **options: object) -> VectorQuantizer:
    """With a codebook for each channel, of features where the code is a sequence."""
    width = list(encoder.parameters())[-1].shape[0]  # the bias of the last layer
    axis = -1 if isinstance(encoder, (TokenEncoder, Recurrent)) else 1
    return VectorQuantizer(encoder, dim=width, codebook_size=8, axis=axis, **options)


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Indices of the nearest codebook vectors, one by one."""
    return torch.stack([(codebook - v).square().sum(1).argmin() for v in vectors])
