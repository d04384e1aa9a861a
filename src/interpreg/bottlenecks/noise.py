"""Encoders with dropout of the code or noise on the input while they train."""

from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._references import Configured
from interpreg._types import Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.noise import add_noise, as_probability, drop_out

Corrupt = Callable[[Tensor], Tensor]


class DropoutBottleneck(Bottleneck):
    r"""An encoder whose code, in training mode, loses each element with probability ``p`` and is divided by 1 - p.

    By :func:`interpreg.functional.drop_out`. Every term then uses the code with dropout, interpolants included;
    :class:`interpreg.CodeDropout` is a term that drops elements for a decoding of its own. In eval mode, and in a fresh
    copy, nothing is dropped.

    Args:
        network: the encoder inside.
        p: in [0, 1) (0.5 in ACAI's published comparison, element by element of the code).
        generator: where randomness comes from; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.

    >>> encoder = DropoutBottleneck(torch.nn.Linear(8, 4))
    >>> encoder(torch.randn(3, 8)).shape
    torch.Size([3, 4])
    """

    def __init__(self, network: Network, p: float = 0.5, *, generator: torch.Generator | None = None) -> None:
        super().__init__(network)
        self.p = as_probability(p)
        self.generator = _checks.as_generator(generator)

    @override
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The codes, with dropout in training mode."""
        z = _checks.as_floats("network", self.encoded(x, mask))
        return drop_out(z, self.p, self.generator) if self.training and not self.passthrough else z


class DenoisingBottleneck(Bottleneck):
    r"""An encoder whose input, in training mode, is :math:`x + \mathcal N(0, \mathrm{std}^2)` instead of x, unclipped.

    The reconstruction term then is a denoising autoencoder's, because its target stays the clean x (Vincent et al.
    2008). Every other input of the encoder is corrupted too, such as interpolants that are encoded again;
    :class:`interpreg.Denoising` is a term that corrupts an encoding of its own. In eval mode, and in a fresh copy,
    nothing is corrupted.

    Args:
        network: the encoder inside.
        std: at least 0, in the units of x; when not given 1.0, as in ACAI's published comparison, on pixels in [-1, 1].
        corrupt: instead of Gaussian noise, a callable of x that returns a corrupted x of the same shape.
        generator: where the noise comes from; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; at a call, a corruption of another shape.

    >>> encoder = DenoisingBottleneck(torch.nn.Linear(8, 4), std=0.5)
    >>> encoder(torch.randn(3, 8)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        network: Network,
        std: float | None = None,
        corrupt: Corrupt | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(network)
        self.corruption = Corruption(std, corrupt, generator)

    @override
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The codes of ``x``, corrupted in training mode."""
        x = self.corruption(x) if self.training and not self.passthrough else x
        z: Tensor = self.encoded(x, mask)
        return z


class Corruption(Configured):
    """What a denoising autoencoder is shown: x with Gaussian noise, or corrupted by a callable of the user's."""

    def __init__(self, std: float | None, corrupt: Corrupt | None, generator: torch.Generator | None) -> None:
        self.std = 1.0 if std is None else _checks.as_number("std", std)
        if corrupt is not None:
            _checks.check_network("corrupt", corrupt)
            _checks.check_unused("std", std, "a corruption of your own")
            _checks.check_unused("generator", generator, "a corruption of your own")
        self.corrupt, self.generator = corrupt, _checks.as_generator(generator)

    def __call__(self, x: Tensor) -> Tensor:
        """``x``, corrupted."""
        if self.corrupt is None:
            return add_noise(x, self.std, self.generator)
        corrupted = self.corrupt(x)
        corrupted = _checks.as_plain("corrupt", corrupted)
        _checks.check_shape("corrupt", corrupted, x.shape, "x")
        return corrupted
