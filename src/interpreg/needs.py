"""What terms use besides codes and reconstructions, and the plan made of it."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from interpreg._types import Mix, Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.interpolator import Interpolator

DEFAULT = Interpolator()
"""ACAI's interpolator, that of terms without one."""


class CodeMixer(Protocol):
    """A source of mixed codes: an :class:`Interpolator`, or any other object with these two methods."""

    def mixed(self, batch: Any) -> Mix:
        """Mixed codes of a :class:`interpreg.Batch`, any number of them, shaped like codes."""

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if ``size`` samples are too few."""


class Derivative(Protocol):
    """A derivative of a decoder along a direction."""

    @property
    def method(self) -> str:
        """The name of the method; derivatives of the same name are equal."""

    def __call__(
        self, decode: Network, z: Tensor, direction: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The decoded codes and their derivative."""


class Decode(NamedTuple):
    """A need of a term: the interpolants of a mixer, perhaps with their derivative along the path."""

    mixer: CodeMixer | None = None
    """None: the interpolator of the other parts of the sum."""
    derivative: Derivative | None = None
    regressed: bool = False
    """Whether coefficients are a critic's targets, where 0 is that of reconstructions."""


class AtLeast(NamedTuple):
    """A need of a term: a batch of at least so many samples."""

    samples: int
    purpose: str
    """As in "expected at least 2 samples *to have distances*"."""

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if ``size`` samples are too few."""
        if size < self.samples:
            raise ValueError(
                f"x: expected at least {self.samples} samples {self.purpose}, got a batch of {size}; drop the last "
                "batch (drop_last=True)"
            )


Need = Decode | AtLeast | Bottleneck
"""What a term uses besides codes and reconstructions; a bottleneck inside the encoder is its auxiliary output."""


class Plan(NamedTuple):
    """The needs of all terms, in the form that every batch uses."""

    followed: Interpolator = DEFAULT
    """The interpolator of needs without one."""
    default: Interpolator = DEFAULT
    """The interpolator in the place of ``DEFAULT``: the one that was added to the sum, if any."""
    derivatives: tuple[tuple[CodeMixer, Derivative], ...] = ()
    bottlenecks: tuple[Bottleneck, ...] = ()
    checks: tuple[Callable[[int], None], ...] = ()
