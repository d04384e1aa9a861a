"""Normal, ball, sphere."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg.priors.base import Prior, named


@dataclass(frozen=True)
class Normal(Prior):
    r""":math:`\mathcal N(\mu, \sigma^2 I)`; the prior that has closed forms.

    Args:
        mean: one number for all coordinates.
        std: positive.

    Raises:
        TypeError, ValueError: not finite numbers, or a ``std`` that is not positive.
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        _checks.as_number("mean", self.mean, low=-math.inf)
        _positive("std", self.std)

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return _gaussian(n, like, generator).mul_(self.std).add_(self.mean)

    @override
    def spread(self, d: int) -> float:
        return self.std * math.sqrt(d)


@dataclass(frozen=True)
class _Round(Prior):
    radius: float = 1.0

    def __post_init__(self) -> None:
        _positive("radius", self.radius)


@dataclass(frozen=True)
class Ball(_Round):
    """Uniform in the ball around 0.

    Args:
        radius: positive.

    Raises:
        TypeError, ValueError: a radius that is not a positive finite number.
    """

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        d = like.shape[1]
        along = torch.rand(n, 1, dtype=like.dtype, device=like.device, generator=generator)
        return _directions(n, like, generator) * (self.radius * along ** (1 / d))

    @override
    def spread(self, d: int) -> float:
        return self.radius * math.sqrt(d / (d + 2))


@dataclass(frozen=True)
class Sphere(_Round):
    """Uniform on the sphere around 0.

    Args:
        radius: positive.

    Raises:
        TypeError, ValueError: a radius that is not a positive finite number.
    """

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.radius * _directions(n, like, generator)

    @override
    def spread(self, d: int) -> float:
        return self.radius


def _gaussian(n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(n, like.shape[1], dtype=like.dtype, device=like.device, generator=generator)


def _directions(n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.nn.functional.normalize(_gaussian(n, like, generator), dim=1)


def _positive(name: str, value: float) -> None:
    if _checks.as_number(name, value) == 0:
        raise ValueError(f"{name}: expected a positive number, got {value!r}")


named("normal", Normal())
named("ball", Ball())
named("sphere", Sphere())
