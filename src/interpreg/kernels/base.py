"""The base classes of kernels: functions of the squared distance, and the rules for their bandwidths."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks

RULES = ("dimension", "median")


class Spec(NamedTuple):
    """A kernel as plain numbers, for operators and compiled code."""

    kind: str
    numbers: tuple[float, ...]


class Mixture(NamedTuple):
    r"""A kernel as a sum of Gaussians, :math:`k = \sum_q w_q (e^{-s_q |x - y|^2} - \delta)`."""

    rates: tuple[float, ...]
    weights: tuple[float, ...]
    relative: bool
    r"""Whether :math:`\delta` is 1 and not 0: an unbounded kernel is a mixture only up to a constant."""


class Kernel(ABC):
    r"""A kernel :math:`k(x, y) = p(|x - y|^2)` that depends on the distance alone.

    A kernel of your own needs only :meth:`profile`, of differentiable torch operations::

        @dataclass(frozen=True)
        class Cauchy(Kernel):
            def profile(self, sq):
                return 1 / (1 + sq)
    """

    kind: ClassVar[str] = ""
    """The kernel's name in fused backends; empty where none implements it."""
    at_zero: float = 1.0
    """k(x, x)."""

    @abstractmethod
    def profile(self, sq: Tensor) -> Tensor:
        """The kernel's values for squared distances of any shape."""

    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        """Values and derivatives with respect to the squared distance; ``sq`` may be overwritten."""
        with torch.enable_grad():
            leaf = sq.detach().requires_grad_()
            value = self.profile(leaf)
            (slope,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), slope

    def resolved(self, spread: float) -> "Kernel":
        """The same kernel with numbers as bandwidths; ``spread`` is the unit of the rule by dimension."""
        return self

    @property
    def needs_median(self) -> bool:
        """Whether the bandwidths follow the median rule."""
        return False

    def spec(self) -> Spec | None:
        """The kernel as plain numbers, or ``None`` where no fused backend implements it."""
        return None

    def mixture(self, typical: float) -> Mixture:
        """The kernel as a mixture of Gaussians; ``typical`` is a typical squared distance."""
        raise NotImplementedError(f"kernel: {type(self).__name__} has no mixture of Gaussians")

    @property
    def is_mixture(self) -> bool:
        """Whether there is a :meth:`mixture`, and so a closed form against a normal prior."""
        return type(self).mixture is not Kernel.mixture

    def parts(self) -> "tuple[Kernel, ...]":
        """The kernels whose sum this is."""
        return (self,)


@dataclass(frozen=True)
class Scaled(Kernel):
    """The sum of one profile over several bandwidths: the base of all kernels but ``Energy``."""

    bandwidths: float | Sequence[float] | str = "dimension"
    scales: Sequence[float] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        if isinstance(self.bandwidths, str):
            _checks.check_one_of("bandwidths", self.bandwidths, RULES)
        else:
            object.__setattr__(self, "bandwidths", _positive("bandwidths", self.bandwidths))
        object.__setattr__(self, "scales", _positive("scales", self.scales))
        if not isinstance(self.bandwidths, str) and self.scales != type(self).scales:
            raise ValueError(
                f"scales: expected none beside bandwidths that are numbers, which do not use them, got {self.scales}"
            )

    @property
    def widths(self) -> tuple[float, ...]:
        """The bandwidths as numbers, widest first."""
        if isinstance(self.bandwidths, str):
            raise ValueError(
                f"bandwidths: expected numbers, got the rule {self.bandwidths!r}; call resolved() first"
            )
        assert isinstance(self.bandwidths, tuple)  # by __post_init__
        return tuple(sorted(self.bandwidths, reverse=True))

    @property
    @override
    def needs_median(self) -> bool:
        return self.bandwidths == "median"

    @property
    @override
    def at_zero(self) -> float:  # type: ignore[override]
        return float(len(self.scales if isinstance(self.bandwidths, str) else self.widths))

    @override
    def resolved(self, spread: float) -> Self:
        if not isinstance(self.bandwidths, str):
            return self
        return replace(
            self, bandwidths=tuple(spread * scale for scale in self.scales), scales=type(self).scales
        )  # fmt: skip

    @override
    def spec(self) -> Spec:
        return Spec(self.kind, self.widths)

    @override
    def parts(self) -> tuple[Kernel, ...]:
        return tuple(replace(self, bandwidths=(width,)) for width in self.widths)


def _positive(name: str, value: object) -> tuple[float, ...]:
    """``value`` as a tuple of positive finite numbers, at least one."""
    numbers = list(value) if isinstance(value, Sequence) else [value]
    if not numbers:
        raise ValueError(f"{name}: expected at least one number, got none")
    return tuple(_checks.as_positive(name, number, "positive numbers") for number in numbers)


def safe_root(sq: Tensor) -> Tensor:
    """The square root, with gradient 0 instead of NaN where the distance is 0."""
    apart = sq != 0  # NaN is not 0, and stays
    return torch.where(apart, torch.where(apart, sq, 1.0).sqrt(), 0.0)


def inverse_root(root: Tensor) -> Tensor:
    """1 / root, and 0 where the root is 0; overwrites ``root``."""
    return root.reciprocal_().masked_fill_(root == math.inf, 0.0)
