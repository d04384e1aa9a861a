"""The autoencoder of the ACAI paper (appendix B), as its published code builds it."""

import math

from torch import nn
from typing_extensions import override

SLOPE = 0.2


class Convolution(nn.Conv2d):
    """A convolution that keeps height and width, initialised as in the published code.

    Weights are normal with std 1 / sqrt((1 + slope^2) fan_in), without Kaiming's factor 2; biases are 0. The
    initialisation is in ``reset_parameters``, so that a fresh copy (a critic) has it too.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)

    @override
    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=1 / math.sqrt((1 + SLOPE**2) * self.weight[0].numel()))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        Convolution(channels_in, channels_out),
        nn.LeakyReLU(SLOPE),
        Convolution(channels_out, channels_out),
        nn.LeakyReLU(SLOPE),
    ]


def encoder(colours: int, width: int, scales: int, code_channels: int) -> nn.Sequential:
    """Images ``[B, colours, H, H]`` to codes ``[B, code_channels, H / 2^scales, H / 2^scales]``."""
    layers: list[nn.Module] = [Convolution(colours, width, kernel=1)]
    before = width
    for scale in range(scales):
        layers += [*_block(before, width * 2**scale), nn.AvgPool2d(2)]
        before = width * 2**scale
    layers += [Convolution(before, width * 2**scales), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, Convolution(width * 2**scales, code_channels))


def decoder(colours: int, width: int, scales: int, code_channels: int) -> nn.Sequential:
    """Codes ``[B, code_channels, h, h]`` to images ``[B, colours, h 2^scales, h 2^scales]``, unbounded."""
    layers: list[nn.Module] = []
    before = code_channels
    for scale in reversed(range(scales)):
        layers += [*_block(before, width * 2**scale), nn.Upsample(scale_factor=2)]
        before = width * 2**scale
    layers += [Convolution(before, width), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, Convolution(width, colours))
