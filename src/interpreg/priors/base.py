"""What a prior is, and how a user's sampler becomes one."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks

_NAMED: dict[str, "Prior"] = {}


class Prior(ABC):
    """A distribution over flat codes."""

    @abstractmethod
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``n`` samples ``[n, d]``, typed and placed as the codes ``like`` ``[B, d]``."""

    def spread(self, d: int) -> float | None:
        r""":math:`\sqrt{E |z - z'|^2 / 2}`, the unit of the bandwidths by dimension; ``None`` where unknown."""
        return None


class Sampler(Prior):
    """A prior that is known by its samples.

    Args:
        draw: a callable of the number of samples, ``draw(n) -> Tensor[n, ...]``, with as many elements a sample as
            a code has; or a ``torch.distributions.Distribution`` over codes or over their elements' vector.

    Raises:
        TypeError: neither.
    """

    def __init__(self, draw: Callable[[int], Tensor] | torch.distributions.Distribution) -> None:
        if isinstance(draw, torch.distributions.Distribution):
            distribution = draw
            self._draw: Callable[[int], Tensor] = lambda n: distribution.sample(torch.Size((n,)))
        elif callable(draw) and not isinstance(draw, type):
            self._draw = draw
        else:
            raise TypeError(
                "prior: expected a name, a Prior, a torch distribution or a callable of the number of samples, "
                f"got {_checks.describe(draw)}"
            )

    @override
    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        if generator is not None:
            raise ValueError("generator: expected None with a sampler of your own, which draws as it likes")
        z = self._draw(n)
        _checks.check_tensor("prior samples", z)
        _checks.check_batch_size("prior samples", z, n)
        if z[0].numel() != like.shape[1]:
            raise ValueError(
                f"prior samples: expected {like.shape[1]} elements a sample, as a code has, got {_checks.describe(z)}"
            )
        return z.detach().flatten(1).to(like) if z.ndim > 1 else z.detach()[:, None].to(like)


def named(name: str, prior: Prior) -> None:
    """Let ``prior=name`` mean this one."""
    _NAMED[name] = prior


def as_prior(prior: object) -> Prior:
    """A prior from a name, a :class:`Prior`, a torch distribution or a callable of the number of samples."""
    if isinstance(prior, Prior):
        return prior
    if isinstance(prior, str):
        _checks.check_one_of("prior", prior, sorted(_NAMED))
        return _NAMED[prior]
    return Sampler(prior)  # type: ignore[arg-type]
