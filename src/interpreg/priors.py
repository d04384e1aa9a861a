"""Distributions that codes are drawn towards."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._numerics import normal, uniform

__all__ = ["Ball", "Normal", "Prior", "Sampler", "Sphere", "as_prior"]


class Prior(ABC):
    """A distribution over flat codes."""

    @abstractmethod
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``n`` samples ``[n, d]``, typed and placed as the codes ``like`` ``[B, d]``."""

    def spread(self, d: int) -> float | None:
        r""":math:`\sqrt{E |z - z'|^2 / 2}`, the unit of bandwidths by dimension; ``None`` where it is unknown."""
        return None


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
        _checks.as_positive("std", self.std)

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return normal((n, like.shape[1]), like, generator).mul_(self.std).add_(self.mean).to(like.dtype)

    @override
    def spread(self, d: int) -> float:
        return self.std * math.sqrt(d)


@dataclass(frozen=True)
class _Round(Prior):
    radius: float = 1.0

    def __post_init__(self) -> None:
        _checks.as_positive("radius", self.radius)


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
        radii = self.radius * uniform((n, 1), like, generator) ** (1 / d)
        return (_directions(n, like, generator) * radii).to(like.dtype)

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
        return (self.radius * _directions(n, like, generator)).to(like.dtype)

    @override
    def spread(self, d: int) -> float:
        return self.radius


class Sampler(Prior):
    """A prior given by a sampler.

    Args:
        draw: a callable of the number of samples, ``draw(n) -> Tensor[n, ...]``, with as many elements a sample as
            a code has; or a ``torch.distributions.Distribution`` over codes or over flattened codes.

    Raises:
        TypeError: ``draw`` is neither.
    """

    def __init__(self, draw: Callable[[int], Tensor] | torch.distributions.Distribution) -> None:
        if not isinstance(draw, torch.distributions.Distribution):
            expected = "a name, a Prior, a torch distribution or a callable of the number of samples"
            _checks.check_callable("prior", draw, expected)
        self._draw = draw

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        check_generator(self, generator)
        draw = self._draw
        z = draw.sample(torch.Size((n,))) if isinstance(draw, torch.distributions.Distribution) else draw(n)
        _checks.check_tensor("prior samples", z)
        _checks.check_batch_size("prior samples", z, n)
        if z[0].numel() != like.shape[1]:
            raise ValueError(
                f"prior samples: expected {like.shape[1]} elements a sample, as a code has, got {_checks.describe(z)}"
            )
        return z.detach().flatten(1).to(like) if z.ndim > 1 else z.detach()[:, None].to(like)


def _directions(n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.nn.functional.normalize(normal((n, like.shape[1]), like, generator), dim=1)


_NAMED: dict[str, Prior] = {"ball": Ball(), "normal": Normal(), "sphere": Sphere()}


def check_generator(prior: Prior, generator: object) -> None:
    """Raise ``ValueError`` if there is a generator beside a sampler of the user's."""
    if generator is not None and isinstance(prior, Sampler):
        raise ValueError("generator: expected None with a sampler of your own, which draws its own numbers")


def generator_of(prior: Prior, generator: torch.Generator | None) -> torch.Generator | None:
    """The generator of a prior's samples beside other draws: none for a sampler of the user's."""
    return None if isinstance(prior, Sampler) else generator


def as_prior(prior: object) -> Prior:
    """A prior from a name, a :class:`Prior`, a torch distribution or a callable of the number of samples."""
    if isinstance(prior, Prior):
        return prior
    if isinstance(prior, str):
        _checks.check_one_of("prior", prior, _NAMED)
        return _NAMED[prior]
    return Sampler(prior)  # type: ignore[arg-type]
