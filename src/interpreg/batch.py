"""The forward pass of one batch, which all terms share."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg._padding import check_takes_mask
from interpreg._types import Interpolants, Mix, Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.means import check_mask, valid_data, valid_part
from interpreg.interpolator import Interpolator
from interpreg.priors import Prior

_T = TypeVar("_T")
DEFAULT = Interpolator()
"""ACAI's interpolator, that of terms without one."""
_IMAGES = " (images are expected as floats in [-1, 1]: x.float() / 127.5 - 1)"
_CODE = " (where the encoder returns more than its code, wrap it in a bottleneck, or a function of the code alone)"


class CodeMixer(Protocol):
    """A source of mixed codes: an :class:`Interpolator`, or any other object with these two methods."""

    def mixed(self, batch: "Batch") -> Mix:
        """Mixed codes, any number of them, shaped like codes."""

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


class Batch:
    """A batch and the values that terms share, each computed once, at its first use.

    Args:
        x: images or any other samples ``[B, ...]``, floating point.
        encoder, decoder: called through ``__call__`` alone, so that wrappers and hooks work.
        z, x_hat, mask: as for :meth:`interpreg.Regularizer.forward`.
        plan: the needs of the terms, see :func:`interpreg.regularizers.plan.plan_of`.

    Raises:
        TypeError: a value is not a floating point tensor.
        ValueError: not one code for each sample, or reconstructions that are not shaped like ``x``; too few samples for
            a need.
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
            _check_positions(x, mask)
        self.plan = plan or Plan()
        for check in self.plan.checks:  # before a network is called and its statistics are updated
            check(size)
        self.x, self.mask = valid_data(x, mask), mask
        self.encoder, self.decoder = encoder, decoder
        self._results: list[tuple[str, object, Any]] = []
        if z is not None:
            self._take_aux(z)
        self._z = None if z is None else valid_part(z, mask)
        self._x_hat = None if x_hat is None else valid_data(x_hat, mask)

    def once(self, what: str, of: object, make: Callable[[], _T]) -> _T:
        """The result of ``make``, which is called once a batch for each ``what`` and object ``of`` (by identity)."""
        for name, key, value in self._results:
            if key is of and name == what:
                return value  # type: ignore[no-any-return]
        value = make()
        self._results.append((what, of, value))
        return value

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""
        if self._z is None:
            self._z = self.encode(self.x, self.mask)
            self._take_aux()
        return self._z

    @property
    def x_hat(self) -> Tensor:
        """The reconstructions, shaped like ``x``."""
        if self._x_hat is None:
            self._x_hat = self.decode(self.z, self.mask)
        return self._x_hat

    @property
    def observed(self) -> Tensor:
        """x, detached, with the reconstruction in the place of NaN, as where values are missing."""
        x = self.x.detach()
        return torch.where(x.isnan(), self.x_hat.detach().to(x.dtype), x)

    def interpolants(self, mixer: CodeMixer | None = None) -> Interpolants:
        """The interpolants of a mixer; when not given, of the interpolator of the other parts of the sum."""
        mixer = self._resolved(mixer)
        return self.once("interpolants", mixer, partial(self._decoded, mixer))

    def derivative(self, mixer: CodeMixer | None = None) -> Tensor:
        """The derivative of a mixer's interpolants by their coefficient, ``dx_mix/dalpha``, shaped like them.

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
        self.z  # noqa: B018  # computes the codes and with them the output
        return self.once("aux", bottleneck, bottleneck.take_aux)

    def prior_samples(self, prior: Prior, generator: torch.Generator | None = None) -> Tensor:
        """As many samples of a prior as there are codes, ``[B, d]``, d elements in a code; drawn once a generator."""
        draws: list[tuple[object, Tensor]] = self.once("prior", prior, list)
        for key, samples in draws:
            if key is generator:
                return samples
        codes = self.z.detach()
        like = as_wide(codes.reshape(codes.shape[0], -1))
        draws.append((generator, prior.sample(like.shape[0], like, generator)))
        return draws[-1][1]

    def encode(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``encoder(x)``, checked; for inputs that a term does not share."""
        z = call(self.encoder, x, mask, "encoder")
        if x is not self.x:
            for bottleneck in self.plan.bottlenecks:
                bottleneck.drop_aux()
        _checks.check_tensor("encoder", z, _CODE)
        _checks.check_batch_size("encoder", z, x.shape[0])
        return z

    def decode(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """``decoder(z)``, checked; for codes that a term does not share."""
        images = call(self.decoder, z, mask, "decoder")
        _checks.check_tensor("decoder", images)
        if images.shape[1:] != self.x.shape[1:] or images.shape[0] != z.shape[0]:
            _checks.check_shape("decoder", images, torch.Size((z.shape[0], *self.x.shape[1:])), "x")
        return images

    def _resolved(self, mixer: CodeMixer | None) -> CodeMixer:
        return self.plan.followed if mixer is None else self.plan.default if mixer is DEFAULT else mixer

    def _take_aux(self, z: Tensor | None = None) -> None:
        """Take the auxiliary outputs, of the caller's codes ``z`` or else of the last call, before the next call."""
        for bottleneck in self.plan.bottlenecks:
            self._results.append(("aux", bottleneck, bottleneck.take_aux(z)))

    def _decoded(self, mixer: CodeMixer) -> Interpolants:
        mixed = mixer.mixed(self)
        if not isinstance(mixed, Mix):
            raise TypeError(
                f"mixer: expected an interpreg.Mix of mixed codes and their coefficients from mixed(), got "
                f"{_checks.describe(mixed)}"
            )
        for planned, derivative in self.plan.derivatives:
            if planned is mixer:
                assert isinstance(mixer, Interpolator)
                decode = partial(self.decode, mask=mixed.mask)
                pair = derivative(decode, mixed.z_mix, mixer.direction(self.z, mixed, self.mask), mixed.mask)
                x_mix, dx = _as_pair(pair)
                _checks.check_shape("derivative", dx, x_mix.shape, "the interpolants")
                self._results.append(("dx_mix", mixer, dx))
                break
        else:
            x_mix = self.decode(mixed.z_mix, mixed.mask)
        return Interpolants(mixed.z_mix, mixed.alpha, x_mix, mixed.mask, mixed.z_partner)


def call(network: Network, value: Tensor, mask: Tensor | None, role: str = "network") -> Tensor:
    """``network(value)``; with a mask ``network(value, mask)``, where padding is 0 before it and behind it."""
    if mask is None:
        return network(value)
    check_takes_mask(role, network)
    output = network(valid_part(value, mask), mask)
    return valid_part(output, mask) if isinstance(output, Tensor) else output


def _check_positions(x: Tensor, mask: Tensor) -> None:
    """Raise ``ValueError`` unless ``x`` is ``[B, T, ...]`` with the mask's T."""
    if x.shape[:2] != mask.shape:
        raise ValueError(
            f"mask: expected the first two axes of x, {tuple(x.shape[:2])}, got {_checks.describe(mask)}; the axis of "
            "positions is the second, so channels before it are moved behind it: x.transpose(1, 2)"
        )


def _as_pair(pair: object) -> tuple[Tensor, Tensor]:
    """What a derivative returned, which may be the user's own."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(
            f"derivative: expected two tensors from it, the decoded codes and their derivative, got "
            f"{_checks.describe(pair)}"
        )
    return pair[0], pair[1]


def _not_planned() -> Tensor:
    raise ValueError(
        "derivative: expected a need that declares it, Decode(interpolator, derivative=...), in the needs() of the "
        "term, got none"
    )
