"""The shared forward pass of one batch: whatever several terms need is computed once."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg._types import Interpolants, Mix, Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.means import check_mask
from interpreg.interpolator import Interpolator
from interpreg.priors import Prior

_T = TypeVar("_T")
DEFAULT = Interpolator()
"""The interpolator of terms that name none, ACAI's."""
_IMAGES = " (images are expected as floats in [-1, 1]: x.float() / 127.5 - 1)"
_CODE = " (where the encoder returns more than its code, wrap it in a bottleneck, or a function of the code alone)"


class CodeMixer(Protocol):
    """What makes mixed codes of a batch: an :class:`Interpolator`, or anything else with these two methods."""

    def mixed(self, batch: "Batch") -> Mix:
        """Mixed codes, any number of them, shaped like codes."""

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if ``size`` samples are too few."""


class Derivative(Protocol):
    """How a decoder is differentiated along a direction."""

    @property
    def method(self) -> str:
        """The name of the method; two derivatives of one name are the same."""

    def __call__(
        self, decode: Network, z: Tensor, direction: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The decoded codes and their derivative."""


class Decode(NamedTuple):
    """A need of a term: the interpolants of a mixer, perhaps with their derivative along the path."""

    mixer: CodeMixer | None = None
    """None: the interpolator that the other parts of the sum use."""
    derivative: Derivative | None = None


class AtLeast(NamedTuple):
    """A need of a term: a batch of some size."""

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
"""What a term needs besides codes and reconstructions; a bottleneck inside the encoder means its auxiliary output."""


class Plan(NamedTuple):
    """The needs of all terms, worked out once for every batch."""

    followed: Interpolator = DEFAULT
    """The interpolator of terms that follow the others."""
    default: Interpolator = DEFAULT
    """What stands in for ``DEFAULT``: the interpolator that was added to the sum, if any."""
    derivatives: tuple[tuple[CodeMixer, Derivative], ...] = ()
    bottlenecks: tuple[Bottleneck, ...] = ()
    checks: tuple[Callable[[int], None], ...] = ()


class Batch:
    """A batch and everything that terms ask of it, each computed when first asked for and then kept.

    Args:
        x: images or any other samples ``[B, ...]``, floating point.
        encoder, decoder: called through ``__call__`` alone, so wrappers and hooks keep working.
        z: the codes, where the caller has them already.
        x_hat: the reconstructions, where the caller has them already.
        mask: of padded sequences, boolean ``[B, T]``, True where valid. Then every network is called as
            ``network(value, mask)``, with the mask of the value's own rows.
        plan: the needs of the terms, see :func:`interpreg.regularizers.plan.plan_of`.

    Raises:
        TypeError: something is not a floating point tensor.
        ValueError: a shape does not fit: codes not one a sample, reconstructions not shaped like ``x``; too few
            samples for a need.
    """

    def __init__(
        self,
        x: Tensor,
        encoder: Network,
        decoder: Network,
        *,
        z: Tensor | None = None,
        x_hat: Tensor | None = None,
        mask: Tensor | None = None,
        plan: Plan | None = None,
    ) -> None:
        _checks.check_tensor("x", x, _IMAGES)
        size = x.shape[0]
        if size == 0:
            raise ValueError(f"x: expected at least one sample, got {_checks.describe(x)}")
        if z is not None:
            _checks.check_tensor("z", z)
            _checks.check_batch_size("z", z, size)
        if x_hat is not None:
            _checks.check_tensor("x_hat", x_hat)
            _checks.check_shape("x_hat", x_hat, x.shape, "x")
        if mask is not None:
            check_mask(mask, size)
        self.plan = plan or Plan()
        for check in self.plan.checks:  # before a network is called and its statistics move
            check(size)
        self.x, self.mask = x, mask
        self.encoder, self.decoder = encoder, decoder
        self._kept: list[tuple[str, object, Any]] = []
        if z is not None:
            self._keep_codes(z, given=True)
        self._z, self._x_hat = z, x_hat

    def once(self, what: str, of: object, make: Callable[[], _T]) -> _T:
        """What ``make`` returns, made once a batch for ``what`` and the very object ``of``."""
        for name, key, value in self._kept:
            if key is of and name == what:
                return value  # type: ignore[no-any-return]
        value = make()
        self._kept.append((what, of, value))
        return value

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""
        if self._z is None:
            self._z = self.encode(self.x, self.mask)
            self._keep_codes(self._z)
        return self._z

    @property
    def x_hat(self) -> Tensor:
        """The reconstructions, shaped like ``x``."""
        if self._x_hat is None:
            self._x_hat = self.decode(self.z, self.mask)
        return self._x_hat

    def interpolants(self, mixer: CodeMixer | None = None) -> Interpolants:
        """The interpolants of a mixer; of the one that is followed when not given."""
        mixer = self._resolved(mixer)
        return self.once("interpolants", mixer, partial(self._decoded, mixer))

    def derivative(self, mixer: CodeMixer | None = None) -> Tensor:
        """How a mixer's interpolants change with their coefficient, ``dx_mix/dalpha``, shaped like them.

        Raises:
            ValueError: no need of a derivative was declared for it.
        """
        mixer = self._resolved(mixer)
        self.interpolants(mixer)
        return self.once("dx_mix", mixer, _not_planned)

    def reencoded(self, mixer: CodeMixer | None = None) -> Tensor:
        """``encoder(x_mix)`` of a mixer's interpolants."""
        mixed = self.interpolants(mixer)
        return self.once("reencoded", self._resolved(mixer), partial(self.encode, mixed.x_mix, mixed.mask))

    def aux(self, bottleneck: Bottleneck) -> Any:
        """The auxiliary output of a bottleneck inside the encoder for these codes."""
        self.z  # noqa: B018  # the call that fills the output
        return self.once("aux", bottleneck, bottleneck.take_aux)

    def prior_samples(self, prior: Prior, generator: torch.Generator | None = None) -> Tensor:
        """As many samples of a prior as there are codes, ``[B, d]``, d elements in a code; drawn once a generator."""
        drawn: list[tuple[object, Tensor]] = self.once("prior", prior, list)
        for key, samples in drawn:
            if key is generator:
                return samples
        codes = self.z.detach()
        like = as_wide(codes.reshape(codes.shape[0], -1))
        drawn.append((generator, prior.sample(like.shape[0], like, generator)))
        return drawn[-1][1]

    def encode(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``encoder(x)``, checked; for terms that encode something of their own."""
        z = call(self.encoder, x, mask)
        if x is not self.x:
            for bottleneck in self.plan.bottlenecks:
                bottleneck.drop_aux()
        _checks.check_tensor("encoder", z, _CODE)
        _checks.check_batch_size("encoder", z, x.shape[0])
        return z

    def decode(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """``decoder(z)``, checked; for terms that decode something of their own."""
        images = call(self.decoder, z, mask)
        _checks.check_tensor("decoder", images)
        if images.shape[1:] != self.x.shape[1:] or images.shape[0] != z.shape[0]:
            _checks.check_shape("decoder", images, torch.Size((z.shape[0], *self.x.shape[1:])), "x")
        return images

    def _resolved(self, mixer: CodeMixer | None) -> CodeMixer:
        return self.plan.followed if mixer is None else self.plan.default if mixer is DEFAULT else mixer

    def _keep_codes(self, z: Tensor, given: bool = False) -> None:
        """Take aux outputs right after encoding, before anything else calls the encoder."""
        for bottleneck in self.plan.bottlenecks:
            self._kept.append(("aux", bottleneck, bottleneck.take_aux(z if given else None)))

    def _decoded(self, mixer: CodeMixer) -> Interpolants:
        mixed = mixer.mixed(self)
        for planned, derivative in self.plan.derivatives:
            if planned is mixer:
                assert isinstance(mixer, Interpolator)
                decode = partial(self.decode, mask=mixed.mask)
                x_mix, dx = derivative(decode, mixed.z_mix, mixer.direction(self.z, mixed), self.mask)
                self._kept.append(("dx_mix", mixer, dx))
                break
        else:
            x_mix = self.decode(mixed.z_mix, mixed.mask)
        return Interpolants(mixed.z_mix, mixed.alpha, x_mix, mixed.mask)


def call(network: Network, value: Tensor, mask: Tensor | None) -> Tensor:
    """``network(value)``, or ``network(value, mask)`` where there is a mask."""
    return network(value) if mask is None else network(value, mask)


def _not_planned() -> Tensor:
    raise ValueError(
        "derivative: expected a need that declares it, Decode(interpolator, derivative=...), among the needs() of the "
        "term that asks, got none"
    )
