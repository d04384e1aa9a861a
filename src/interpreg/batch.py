"""The shared forward pass of one batch: whatever two terms both need is computed once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg._types import Interpolants, Mix, Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.means import check_mask
from interpreg.interpolator import Interpolator
from interpreg.priors import Prior

_T = TypeVar("_T")
_DEFAULT = Interpolator()
_IMAGES = " (images are expected as floats in [-1, 1]: x.float() / 127.5 - 1)"
_CODE = " (where the encoder returns more than its code, wrap it in a bottleneck, or a function of the code alone)"


class Source(Protocol):
    """What mixed codes come from: an :class:`Interpolator`, or anything else that makes them of codes."""

    def sample_masked(self, z: Tensor, mask: Tensor | None) -> tuple[Mix, Tensor | None]:
        """Mixed codes, as many as it likes, shaped like codes; and where they are valid."""


class Derive(Protocol):
    """How a decoder is differentiated along a direction: ``(decode, z, direction) -> (x, dx)``."""

    def __call__(self, decode: Network, z: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        """The decoded codes and their derivative."""


class _Kept(NamedTuple):
    """Something computed for a key that is compared by identity."""

    key: object
    value: Any


class _Drawn(NamedTuple):
    """Samples of a prior that several terms share."""

    prior: Prior
    generator: torch.Generator | None
    samples: Tensor


class Batch:
    """A batch, its codes, its reconstructions and its interpolants, each computed when first asked for.

    Terms may say beforehand what they will ask for (``expect``); then the interpolants that somebody wants
    differentiated are decoded once, with their derivative, and those that may share a call of the decoder do.

    Args:
        x: images or any other samples ``[B, ...]``, floating point.
        encoder, decoder: called through ``__call__`` alone, so wrappers and hooks keep working.
        z: the codes, where the caller has them already.
        x_hat: the reconstructions, where the caller has them already.
        mask: of padded sequences, boolean ``[B, T]``, True where valid. Then every network is called as
            ``network(value, mask)``, with the mask of the value's own rows.
        interpolator: what mixes for terms that name no interpolator; ACAI's when not given.
        bottlenecks: those inside the encoder whose notes the terms want.

    Raises:
        TypeError: something is not a floating point tensor.
        ValueError: a shape does not fit: codes not one a sample, reconstructions not shaped like ``x``.
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
        interpolator: Interpolator | None = None,
        bottlenecks: Sequence[Bottleneck] = (),
    ) -> None:
        _checks.check_tensor("x", x, _IMAGES)
        if len(x) == 0:
            raise ValueError(f"x: expected at least one sample, got {_checks.describe(x)}")
        if z is not None:
            _checks.check_tensor("z", z)
            _checks.check_batch_size("z", z, len(x))
        if x_hat is not None:
            _checks.check_tensor("x_hat", x_hat)
            _checks.check_shape("x_hat", x_hat, x.shape, "x")
        if mask is not None:
            check_mask(mask, len(x))
        self.x = x
        self.mask = mask
        self.encoder = encoder
        self.decoder = decoder
        self.interpolator = interpolator or _DEFAULT
        self._z = z
        self._x_hat = x_hat
        self._bottlenecks = tuple(dict.fromkeys(bottlenecks))  # two terms may read the same one, whose note is one
        self._notes: list[_Kept] = []
        self._interpolants: list[_Kept] = []
        self._derivatives: list[_Kept] = []
        self._recoded: list[_Kept] = []
        self._derived: list[_Kept] = []  # who is to be differentiated, and how
        self._together: list[Source] = []  # who may share a call of the decoder
        self._drawn: list[_Drawn] = []
        self._memo: list[_Kept] = []
        if z is not None:
            self._notes = [_Kept(each, each.take_note(z)) for each in self._bottlenecks]

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""
        if self._z is None:
            self._z = self.encode(self.x, self.mask)
            self._notes = [_Kept(each, each.take_note()) for each in self._bottlenecks]
        return self._z

    @property
    def x_hat(self) -> Tensor:
        """The reconstructions, shaped like ``x``."""
        if self._x_hat is None and self._together:
            self._decode_together()
        if self._x_hat is None:
            self._x_hat = self.decode(self.z, self.mask)
        return self._x_hat

    def expect(
        self, source: Source | None = None, *, derive: Derive | None = None, together: bool = False
    ) -> None:
        """Say that a source's interpolants will be asked for, with their derivative, or with others in one call."""
        source = source or self.interpolator
        if derive is not None and _found(self._derived, source) is None:
            self._derived.append(_Kept(source, derive))
        if together:
            self._together.append(source)

    def interpolants(self, source: Source | None = None) -> Interpolants:
        """The interpolants of a source, drawn and decoded once however many terms ask."""
        source = source or self.interpolator
        kept = _found(self._interpolants, source)
        if kept is None:
            if _found(self._derived, source) is not None:
                self.derivative(source)
            elif any(each is source for each in self._together):
                self._decode_together()
            else:
                mixed, mask = source.sample_masked(self.z, self.mask)
                self._keep(source, mixed, self.decode(mixed.z_mix, mask), mask)
            kept = _found(self._interpolants, source)
        assert isinstance(kept, Interpolants)
        return kept

    def derivative(self, source: Source | None = None, derive: Derive | None = None) -> Tensor:
        """How a source's interpolants change with their coefficient, ``dx_mix/dalpha``, shaped like them.

        ``derive`` says how it is computed where nobody announced it.
        """
        source = source or self.interpolator
        kept = _found(self._derivatives, source)
        if kept is None:
            derive = _found(self._derived, source) or derive
            assert derive is not None
            assert isinstance(source, Interpolator)
            mixed, mask = source.sample_masked(self.z, self.mask)
            x_mix, kept = derive(partial(self.decode, mask=mask), mixed.z_mix, source.direction(self.z, mixed))
            self._derivatives.append(_Kept(source, kept))
            if _found(self._interpolants, source) is None:
                self._keep(source, mixed, x_mix, mask)
        assert isinstance(kept, Tensor)
        return kept

    def recoded(self, source: Source | None = None) -> Tensor:
        """``encoder(x_mix)`` of a source's interpolants."""
        source = source or self.interpolator
        kept = _found(self._recoded, source)
        if kept is None:
            mixed = self.interpolants(source)
            kept = self.encode(mixed.x_mix, mixed.mask)
            self._recoded.append(_Kept(source, kept))
        assert isinstance(kept, Tensor)
        return kept

    def note(self, bottleneck: Bottleneck) -> Any:
        """What a bottleneck inside the encoder noted when it made the codes."""
        self.z  # noqa: B018  # which makes it note
        return _found(self._notes, bottleneck)

    def once(self, key: object, make: Callable[[], _T]) -> _T:
        """What ``make`` returns, made once a batch for each key (of which identity counts)."""
        kept = _found(self._memo, key)
        if kept is None:
            kept = make()
            self._memo.append(_Kept(key, kept))
        return kept  # type: ignore[no-any-return]

    def prior_samples(self, prior: Prior, generator: torch.Generator | None = None) -> Tensor:
        """As many samples of a prior as there are codes, ``[B, d]``, d elements in a code; drawn once."""
        codes = self.z.detach().reshape(self.z.shape[0], -1)
        like = as_wide(codes)
        for drawn in self._drawn:
            if drawn.prior is prior and drawn.generator is generator:
                return drawn.samples
        self._drawn.append(_Drawn(prior, generator, prior.sample(like.shape[0], like, generator)))
        return self._drawn[-1].samples

    def encode(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``encoder(x)``, checked; for terms that encode something of their own."""
        z = call(self.encoder, x, mask)
        _checks.check_tensor("encoder", z, _CODE)
        _checks.check_batch_size("encoder", z, x.shape[0])
        return z

    def decode(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """``decoder(z)``, checked; for terms that decode something of their own."""
        images = call(self.decoder, z, mask)
        _checks.check_tensor("decoder", images)
        _checks.check_shape("decoder", images, torch.Size((z.shape[0], *self.x.shape[1:])), "x")
        return images

    def _keep(self, source: Source, mixed: Mix, images: Tensor, mask: Tensor | None) -> None:
        self._interpolants.append(_Kept(source, Interpolants(mixed.z_mix, mixed.alpha, images, mask)))

    def _decode_together(self) -> None:
        """The reconstructions and all sources that may share a call, in one where the decoder allows it."""
        sources, self._together = self._together, []
        mixes = [source.sample_masked(self.z, self.mask) for source in sources]
        codes, masks = [mixed.z_mix for mixed, _ in mixes], [mask for _, mask in mixes]
        if self._x_hat is None:
            codes, masks = [self.z, *codes], [self.mask, *masks]
        images = together(self.decode, self.decoder, codes, masks)
        if self._x_hat is None:
            self._x_hat, *images = images
        for source, (mixed, mask), image in zip(sources, mixes, images, strict=True):
            self._keep(source, mixed, image, mask)


def call(network: Network, value: Tensor, mask: Tensor | None) -> Tensor:
    """``network(value)``, or ``network(value, mask)`` where there is a mask."""
    return network(value) if mask is None else network(value, mask)


def together(
    run: Callable[[Tensor, Tensor | None], Tensor],
    network: object,
    values: list[Tensor],
    masks: list[Tensor | None],
) -> list[Tensor]:
    """``run`` on each of several batches: in one call, unless ``network`` has batch statistics to mix up."""
    if len(values) == 1 or has_batch_statistics(network):
        return [run(value, mask) for value, mask in zip(values, masks, strict=True)]
    sizes = [value.shape[0] for value in values]
    mask = None if masks[0] is None else torch.cat([each for each in masks if each is not None])
    return list(run(torch.cat(values), mask).split(sizes))


def has_batch_statistics(network: object) -> bool:
    """Whether the rows of a batch see each other: batch normalisation in training mode, or who knows what."""
    if not isinstance(network, nn.Module):
        return True
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
    return any(
        isinstance(m, kinds) and m.training and (isinstance(m, kinds[0]) or m.track_running_stats)
        for m in network.modules()
    )


def _found(kept: list[_Kept], key: object) -> Any:
    return next((each.value for each in kept if each.key is key), None)
