"""The forward pass of one batch, which all terms share."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._fields import code_instead, floats_instead, image_instead, take_instead
from interpreg._numerics import as_wide
from interpreg._padding import call_masked
from interpreg._types import Interpolants, Mix, Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.means import check_mask, check_positions, valid_data, valid_part
from interpreg.interpolator import Interpolator
from interpreg.needs import DEFAULT, CodeMixer, Plan
from interpreg.priors import Prior

_T = TypeVar("_T")
_NOTE = (
    "interpreg called the {} with {} samples, others than the batch's {}, as terms that mix do; a network that uses "
    "labels of the batch must find them in its input: append them to the code"
)


class Batch:
    """A batch and the values that terms share, each computed once, at its first use.

    Values are checked where they are used: the samples and the decoder's output may be anything, such as token ids and
    a distribution, so long as no term asks for :attr:`x` and :attr:`x_hat`, which are images. The encoder is called
    with the samples as they were given; all other values are plain tensors, whatever subclass the user's are of.

    Args:
        x: images or any other samples ``[B, ...]``.
        encoder, decoder: called through ``__call__`` alone, so that wrappers and hooks work.
        z, x_hat, mask: as for :meth:`interpreg.Regularizer.forward`.
        plan: the needs of the terms, see :func:`interpreg.regularizers.plan.plan_of`.

    Attributes:
        samples: ``x`` as a plain tensor of any dtype.
        output: ``decoder(z)`` as the decoder returns it.

    Raises:
        TypeError: a value is not a tensor, or a code or an image not a floating point one.
        ValueError: not one code for each sample, or images that are not shaped like ``x``; too few samples for a need.
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
        self.samples = _checks.as_plain("x", x, take_instead)
        size = self.samples.shape[0]
        if size == 0:
            raise ValueError(f"x: expected at least one sample, got {_checks.describe(self.samples)}")
        if z is not None:
            z = _checks.as_floats("z", z)
            _checks.check_batch_size("z", z, size)
        if mask is not None:
            check_mask(mask, size)
            _check_positions(self.samples, mask)
            if z is not None:
                check_positions("z", z, mask)
        self.plan = plan or Plan()
        for check in self.plan.checks:  # before a network is called and its statistics are updated
            check(size)
        self.mask = mask
        self.encoder, self.decoder = encoder, decoder
        if mask is not None:
            x = self.samples = valid_data(self.samples, mask)
        self._given = x
        self._results: list[tuple[str, object, Any]] = []
        if z is not None:
            for bottleneck in self.plan.bottlenecks:
                self._results.append(("aux", bottleneck, bottleneck.take_aux(z)))
        self.known_z, self.known_output = None if z is None else valid_part(z, mask), x_hat
        self._x_hat: Tensor | None = None
        self._x_hat_name = "decoder" if x_hat is None else "x_hat"

    def once(self, what: str, of: object, make: Callable[[], _T]) -> _T:
        """The result of ``make``, which is called once a batch for each ``what`` and object ``of`` (by identity)."""
        for name, key, value in self._results:
            if key is of and name == what:
                return value  # type: ignore[no-any-return]
        value = make()
        self._results.append((what, of, value))
        return value

    @property
    def x(self) -> Tensor:
        """The samples as images; ``TypeError`` unless they are floating point."""
        if not self.samples.is_floating_point():
            _checks.check_tensor("x", self.samples, floats_instead(self.samples))
        return self.samples

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""
        if self.known_z is None:
            for bottleneck in self.plan.bottlenecks:
                bottleneck.collect_aux()
            z = self.known_z = self.encode(self.samples, self.mask)
            for bottleneck in self.plan.bottlenecks:  # before the encoder is called again
                self._results.append(("aux", bottleneck, bottleneck.collected_aux(z)))
        return self.known_z

    @property
    def output(self) -> Any:
        """``decoder(z)``, whatever it is."""
        if self.known_output is None:
            self.known_output = self.decoded(self.z, self.mask)
        return self.known_output

    @property
    def x_hat(self) -> Tensor:
        """The reconstructions, images shaped like ``x``."""
        if self._x_hat is None:
            images = self.as_images(self.output, self.samples.shape[0], self._x_hat_name)
            self._x_hat = valid_data(images, self.mask)
        return self._x_hat

    @property
    def observed(self) -> Tensor:
        """x, detached, with the reconstruction in the place of NaN, as where values are missing."""
        x = self.x.detach()
        return torch.where(x.isnan(), self.x_hat.detach().to(x.dtype), x)

    def interpolants(self, mixer: CodeMixer | None = None) -> Interpolants:
        """The interpolants of a mixer; when not given, of the interpolator of the other parts of the sum."""
        mixer = self._resolved(mixer)
        return self.once("interpolants", mixer, partial(self._mixed, mixer))

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
        """The auxiliary output of a bottleneck inside the encoder for these codes.

        Raises:
            ValueError: no need of it was declared.
        """
        self.z  # noqa: B018  # computes the codes and with them the output
        return self.once("aux", bottleneck, _aux_not_planned)

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
        shared = x is self.samples
        z = self._called("encoder", self._given if shared else x, mask)
        if not shared:
            for bottleneck in self.plan.bottlenecks:
                bottleneck.drop_aux()
        z = _checks.as_floats("encoder", z, code_instead)
        _checks.check_batch_size("encoder", z, x.shape[0])
        check_positions("encoder", z, mask)
        return z

    def decode(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """``decoder(z)``, images shaped like ``x``; for codes that a term does not share."""
        return self.as_images(self.decoded(z, mask), z.shape[0])

    def decoded(self, z: Tensor, mask: Tensor | None = None) -> Any:
        """``decoder(z)`` as the decoder returns it, for a loss of the user's."""
        return self._called("decoder", z, mask)

    def as_images(self, output: Any, count: int, name: str = "decoder") -> Tensor:
        """A decoder's output, checked to be ``count`` images shaped like ``x``."""
        images = _checks.as_floats(name, output, image_instead)
        expected = self.samples.shape[1:]
        if images.shape[1:] != expected or images.shape[0] != count:
            _checks.check_shape(name, images, torch.Size((count, *expected)), "x")
        return images

    def _resolved(self, mixer: CodeMixer | None) -> CodeMixer:
        return self.plan.followed if mixer is None else self.plan.default if mixer is DEFAULT else mixer

    def _called(self, role: str, value: Tensor, mask: Tensor | None) -> Any:
        """A network's output; an error of the network is given a note where its input may be the cause."""
        network = self.encoder if role == "encoder" else self.decoder
        rows, size = value.shape[0], self.samples.shape[0]
        note = "" if rows == size else _NOTE.format(role, rows, size)
        if value is self._given and not self.samples.is_floating_point():
            note = f"interpreg called the encoder with {_checks.describe(value)}{floats_instead(value)}"
        if not note or torch.compiler.is_compiling():
            return call(network, value, mask, role)
        try:
            return call(network, value, mask, role)
        except Exception as error:
            error.add_note(note)
            raise

    def _mixed(self, mixer: CodeMixer) -> Interpolants:
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
    """``network(value)``; with a mask ``network(value, mask)``, where padding is 0 before it and behind it.

    Raises:
        ValueError: the network changes the value in place, which terms use too; not seen in compiled code.
    """
    if mask is not None:
        value = valid_part(value, mask)
    version = None if torch.compiler.is_compiling() or value.is_inference() else value._version
    output = network(value) if mask is None else call_masked(role, network, value, mask)
    if version is not None and value._version != version:
        raise ValueError(
            f"{role}: expected its input as it was, because terms use it too, got it changed in place, as by "
            f"ReLU(inplace=True) or x -= 1; change a copy of it, x.clone()"
        )
    return output if mask is None or not isinstance(output, Tensor) else valid_part(output, mask)


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


def _aux_not_planned() -> Any:
    raise ValueError("aux: expected a need that declares it, the bottleneck, in the needs() of the term, got none")
