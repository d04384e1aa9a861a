"""The five kernels. ``r`` is the Euclidean distance; sums over bandwidths are unweighted."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg.kernels import mixtures
from interpreg.kernels.base import Kernel, Mixture, Scaled, Spec, inverse_root, safe_root

MIDRAE_BANDWIDTHS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
WAE_SCALES = tuple(math.sqrt(scale) for scale in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))
MAX_AMPLIFICATION = 16  # of the relative error, 6e-8 in fp32, which squaring doubles


class Rung(NamedTuple):
    """One exponential of an RBF: the previous one squared ``squarings`` times; computed anew if that is 0."""

    rate: float
    squarings: int


def ladder(widths: Sequence[float]) -> list[Rung]:
    """The exponentials of an RBF, widest first, as squares of the previous one where ratio and rounding allow."""
    rungs: list[Rung] = []
    amplified = 1
    for width in sorted(widths, reverse=True):
        rate = 1 / (2 * width**2)
        ratio = rate / rungs[-1].rate if rungs else 0.0
        squarings = next((k for k in (1, 2) if math.isclose(ratio, 2**k, rel_tol=1e-9)), 0)
        amplified = amplified * 2**squarings if squarings else 1
        if amplified > MAX_AMPLIFICATION:
            squarings, amplified = 0, 1
        rungs.append(Rung(rate, squarings))
    return rungs


@dataclass(frozen=True)
class RBF(Scaled):
    r""":math:`k = \sum_\sigma \exp(-r^2 / (2 \sigma^2))`, the Gaussian kernel.

    ``RBF.midrae()`` is the sum that MIDR-AE's code uses, :math:`\sigma \in \{2, 5, 10, 20, 40, 80\}` whatever the
    dimension.

    Args:
        bandwidths: the :math:`\sigma`, positive numbers; or "dimension",
            :math:`\sigma = s \sqrt{E |z - z'|^2 / 2}` over the prior, which is :math:`s \sqrt d` for a standard
            normal one and where there is no prior; or "median", :math:`\sigma = s \sqrt{m / 2}` with m the
            median squared distance of the samples, detached.
        scales: the factors s of a rule; not used with numbers.

    Raises:
        TypeError, ValueError: a bandwidth or scale that is not a positive finite number; an unknown rule.
    """

    kind: ClassVar[str] = "rbf"

    @classmethod
    def midrae(cls) -> "RBF":
        """The preset of MIDR-AE's published code; the paper itself gives no kernel."""
        return cls(bandwidths=MIDRAE_BANDWIDTHS)

    @override
    def profile(self, sq: Tensor) -> Tensor:
        return sum((torch.exp(-sq / (2 * width**2)) for width in self.widths), torch.zeros_like(sq))

    @override
    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        value, slope, power = torch.zeros_like(sq), torch.zeros_like(sq), torch.empty_like(sq)
        for rate, squarings in ladder(self.widths):
            if not squarings:
                torch.mul(sq, -rate, out=power).exp_()
            for _ in range(squarings):
                power.mul_(power)
            value.add_(power)
            slope.add_(power, alpha=-rate)
        return value, slope

    @override
    def mixture(self, typical: float) -> Mixture:
        return Mixture(tuple(1 / (2 * width**2) for width in self.widths), (1.0,) * len(self.widths), False)


@dataclass(frozen=True)
class InverseMultiquadric(Scaled):
    r""":math:`k = \sum_\sigma \frac{C}{C + r^2}`, :math:`C = 2 \sigma^2`.

    Its tail is heavy, so distant codes have a gradient too. The default is the kernel of WAE-MMD (Tolstikhin et
    al. 2018, and its code): :math:`C = 2 d \sigma_p^2 s` with s in {0.1, 0.2, 0.5, 1, 2, 5, 10}, which is the rule by
    dimension with the square roots of these as ``scales``.

    Args:
        bandwidths, scales: as for :class:`RBF`.

    Raises:
        TypeError, ValueError: as for :class:`RBF`.
    """

    scales: Sequence[float] = WAE_SCALES
    kind: ClassVar[str] = "imq"

    @override
    def profile(self, sq: Tensor) -> Tensor:
        return sum((1 / (1 + sq / (2 * width**2)) for width in self.widths), torch.zeros_like(sq))

    @override
    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        value, slope, one = torch.zeros_like(sq), torch.zeros_like(sq), torch.empty_like(sq)
        for width in self.widths:
            constant = 2 * width**2
            torch.mul(sq, 1 / constant, out=one).add_(1).reciprocal_()
            value.add_(one)
            slope.addcmul_(one, one, value=-1 / constant)
        return value, slope

    @override
    def mixture(self, typical: float) -> Mixture:
        return mixtures.rational_quadratic(self.widths, 1.0)


@dataclass(frozen=True)
class RationalQuadratic(Scaled):
    r""":math:`k = \sum_\sigma (1 + r^2 / (2 \alpha \sigma^2))^{-\alpha}`: between inverse multiquadric and Gaussian.

    Args:
        bandwidths, scales: as for :class:`RBF`.
        alpha: at least 0.1; the tail is :math:`r^{-2 \alpha}`.

    Raises:
        TypeError, ValueError: as for :class:`RBF`, and for an ``alpha`` below 0.1.
    """

    alpha: float = field(default=0.5, kw_only=True)
    kind: ClassVar[str] = "rq"

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.as_number("alpha", self.alpha, low=0.1)

    @override
    def profile(self, sq: Tensor) -> Tensor:
        logarithms = (torch.log1p(sq / (2 * self.alpha * width**2)) for width in self.widths)
        return sum((torch.exp(-self.alpha * log) for log in logarithms), torch.zeros_like(sq))

    @override
    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = torch.zeros_like(sq), torch.zeros_like(sq)
        for width in self.widths:
            constant = 2 * self.alpha * width**2
            one = sq / constant
            power = torch.log1p(one).mul_(-self.alpha).exp_()
            value.add_(power)
            slope.addcdiv_(power, one.add_(1), value=-self.alpha / constant)
        return value, slope

    @override
    def spec(self) -> Spec:
        return Spec(self.kind, (self.alpha, *self.widths))

    @override
    def mixture(self, typical: float) -> Mixture:
        return mixtures.rational_quadratic(self.widths, self.alpha)


@dataclass(frozen=True)
class Laplacian(Scaled):
    r""":math:`k = \sum_\sigma \exp(-r / \sigma)`, with the Euclidean distance: a kink at 0, a wide tail.

    Args:
        bandwidths, scales: as for :class:`RBF`.

    Raises:
        TypeError, ValueError: as for :class:`RBF`.
    """

    kind: ClassVar[str] = "laplacian"

    @override
    def profile(self, sq: Tensor) -> Tensor:
        root = safe_root(sq)
        return sum((torch.exp(-root / width) for width in self.widths), torch.zeros_like(sq))

    @override
    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = torch.zeros_like(sq), torch.zeros_like(sq)
        root = sq.sqrt()
        for width in self.widths:
            power = (root / -width).exp_()
            value.add_(power)
            slope.add_(power, alpha=-1 / (2 * width))
        return value, slope.mul_(inverse_root(root))

    @override
    def mixture(self, typical: float) -> Mixture:
        return mixtures.laplacian(self.widths)


@dataclass(frozen=True)
class Energy(Kernel):
    r""":math:`k = -r`, without a bandwidth. The MMD is the energy distance :math:`2 E|x-y| - E|x-x'| - E|y-y'|`.

    Conditionally positive definite, which suffices for an MMD (Sejdinovic et al. 2013).
    """

    kind: ClassVar[str] = "energy"
    at_zero: ClassVar[float] = 0.0  # type: ignore[misc]

    @override
    def profile(self, sq: Tensor) -> Tensor:
        return -safe_root(sq)

    @override
    def value_and_slope(self, sq: Tensor) -> tuple[Tensor, Tensor]:
        root = sq.sqrt()
        return root.neg(), inverse_root(root).mul_(-0.5)

    @override
    def spec(self) -> Spec:
        return Spec(self.kind, ())

    @override
    def mixture(self, typical: float) -> Mixture:
        return mixtures.energy(typical)


_KINDS: dict[str, Callable[[tuple[float, ...]], Kernel]] = {
    RBF.kind: RBF,
    InverseMultiquadric.kind: InverseMultiquadric,
    RationalQuadratic.kind: lambda numbers: RationalQuadratic(numbers[1:], alpha=numbers[0]),
    Laplacian.kind: Laplacian,
    Energy.kind: lambda numbers: Energy(),
}


def from_spec(spec: Spec) -> Kernel:
    """The kernel of a :class:`Spec`."""
    return _KINDS[spec.kind](spec.numbers)


def as_kernel(kernel: Kernel | None) -> Kernel:
    """The kernel, or the default; ``TypeError`` for anything else."""
    if kernel is None:
        return InverseMultiquadric()
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel: expected a Kernel from interpreg.kernels, got {_checks.describe(kernel)}")
    if type(kernel).__hash__ is None:
        raise TypeError(
            f"kernel: expected one that can be hashed (@dataclass(frozen=True)), got a {type(kernel).__name__}"
        )
    return kernel
