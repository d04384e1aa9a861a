"""The game of GAIA, whose critic is an autoencoder that copies data and fails to copy interpolants."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Preset, Term
from interpreg.batch import Batch, call
from interpreg.functional import gaia
from interpreg.interpolator import Interpolator
from interpreg.needs import CodeMixer, Decode, Need
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.gaia_mixes import DirichletMix, HalfBatchMix
from interpreg.regularizers.mixers import as_mixer
from interpreg.regularizers.weights import Adaptive, Weight, WeightLike


class Errors(NamedTuple):
    """The critic's copying errors in its own pass; 0-dim, detached."""

    real: Tensor
    reconstructed: Tensor
    interpolation: Tensor


class Balance(NamedTuple):
    """Each player's share of the learning rate; 0-dim, detached, in [0, 1], of sum 1."""

    autoencoder: Tensor
    critic: Tensor


class AutoencodingCritic(Adversary):
    r"""A critic d, images to images, that copies the data and fails to copy interpolants (GAIA).

    By default the author's later rewrite: terms ``reconstructed`` and ``interpolation``, and the critic's
    ``critic/real``, ``critic/reconstructed`` and ``critic/interpolation``, with the equations of
    :class:`GAIARegularizer`. There is no term for :math:`x - \hat x` itself, because the critic is trained to map
    reconstructions to the data. Mixed codes are convex combinations of the whole batch.

    With ``preset="published"``, the code of the paper: terms ``adversarial`` and ``critic/adversarial``,
    :func:`interpreg.functional.gaia_autoencoder_loss` and :func:`interpreg.functional.gaia_critic_loss` of mean
    absolute errors instead of squares. Their constants are for pixels in [0, 1]; here pixels are in [-1, 1], where such
    errors are twice as large, so the errors are those of :math:`(x + 1) / 2`. Pairs of codes are mixed, with a few
    coefficients outside [0, 1].

    Gradients go through both sides of :math:`R_i` and through all shares. Calls of the networks a batch: encoder 1,
    decoder 2, critic 5.

    Args:
        encoder, decoder: the pair.
        critic: the critic network, images to images of the same shape, which this module trains. When not given: fresh
            copies of the encoder and the decoder, one after the other.
        preset: None or "published".
        interpolator: mixes the codes, instead of the preset's way.
        weight: of the autoencoder's terms; at least 0.
        distance_weight: with the preset, of :func:`interpreg.functional.distance_loss` inside the autoencoder's clip;
            at least 0, and published as 5e-5.
        generator: draws the coefficients.
        critic_weight: see :class:`Adversary`.

    Attributes:
        errors: the last call's :math:`R_x, R_g, R_i`.
        balance: with the preset, the shares of the learning rate after the last call,
            :func:`interpreg.functional.gaia_balance`; None without it. Weights cancel in Adam, so a loop with an
            optimizer for each player sets ``group["lr"] = lr * float(reg.balance.critic)`` before the step (or a
            tensor, where optimizers accept one: ``capturable=True``).

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a generator beside an interpolator; a
            distance weight without the preset; at a call, fewer than two samples, or copies that are not shaped
            like their images.
    """

    name = "critic"
    handed_on = frozenset({"preset", "generator"})
    distance_weight = Weight(adaptive=False)

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: nn.Module | None = None,
        *,
        preset: Preset = None,
        interpolator: CodeMixer | None = None,
        weight: WeightLike = 1.0,
        distance_weight: WeightLike = 0.0,
        generator: torch.Generator | None = None,
        critic_weight: WeightLike = 1.0,
    ) -> None:
        published = _checks.is_published(preset)
        interpolator = as_mixer(interpolator, generator)
        if not published and distance_weight != 0.0:
            raise ValueError(
                f"distance_weight: expected 0 without preset='published', got {distance_weight!r}; add "
                "PairwiseDistance instead"
            )
        _checks.check_network("encoder", encoder)
        _checks.check_network("decoder", decoder)
        critic = Copier(encoder, decoder) if critic is None else critic
        super().__init__(encoder, decoder, critic, weight=weight, critic_weight=critic_weight)
        self.published, self.distance_weight = published, distance_weight
        self._mixer: CodeMixer = interpolator or (HalfBatchMix if published else DirichletMix)(generator)
        self.errors: Errors | None = None
        self.balance: Balance | None = None

    @property
    def interpolator(self) -> Interpolator | None:
        """The interpolator, or None where codes are mixed the preset's way."""
        return self._mixer if isinstance(self._mixer, Interpolator) else None

    @override
    def needs(self) -> Sequence[Need]:
        return [Decode(self._mixer)]

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        weight, critic_weight = self.weight, self.critic_weight
        if self.published:
            return {
                "adversarial": Term(partial(self._published_loss, batch), weight),
                "critic/adversarial": Term(lambda: gaia.gaia_critic_loss(*self._errors(batch)), critic_weight),
            }
        return {
            "reconstructed": Term(partial(self._reconstruction_error, batch), weight),
            "interpolation": Term(partial(self._interpolant_error, batch), weight),
            "critic/real": Term(lambda: self._errors(batch).real, critic_weight),
            "critic/reconstructed": Term(lambda: self._errors(batch).reconstructed, critic_weight),
            "critic/interpolation": Term(partial(self._interpolant_loss, batch), critic_weight),
        }

    def _reconstruction_error(self, batch: Batch) -> Tensor:
        """The error of the frozen critic as a map from reconstructions to x."""
        return self._error(batch.x, self.call_frozen(batch.x_hat, batch.mask), batch.mask)

    def _interpolant_error(self, batch: Batch) -> Tensor:
        """The error of the frozen critic's copies of interpolants."""
        mix = batch.interpolants(self._mixer)
        return self._error(mix.x_mix, self.call_frozen(mix.x_mix, mix.mask), mix.mask)

    def _published_loss(self, batch: Batch) -> Tensor:
        of_hat, of_mix = self._reconstruction_error(batch), self._interpolant_error(batch)
        weight = self.distance_weight
        assert not isinstance(weight, Adaptive)
        if not isinstance(weight, Tensor) and weight == 0:
            return gaia.gaia_autoencoder_loss(of_hat, of_mix)
        return gaia.gaia_autoencoder_loss(
            of_hat, of_mix, weight * gaia.distance_loss(batch.x, batch.z, batch.mask)
        )

    def _interpolant_loss(self, batch: Batch) -> Tensor:
        errors = self._errors(batch)
        return gaia.missed(errors.real, errors.interpolation)

    def _errors(self, batch: Batch) -> Errors:
        """The errors of the critic's own pass, with their graph."""
        return batch.once("critic errors", self, partial(self._compute_errors, batch))

    def _compute_errors(self, batch: Batch) -> Errors:
        x, mixed = batch.x.detach(), batch.interpolants(self._mixer)
        x_mix = mixed.x_mix.detach()
        errors = Errors(
            self._error(x, self.call_detached(x, batch.mask), batch.mask),
            self._error(x, self.call_detached(batch.x_hat, batch.mask), batch.mask),
            self._error(x_mix, self.call_detached(x_mix, mixed.mask), mixed.mask),
        )
        self.errors = Errors(*(error.detach() for error in errors))
        if self.published:
            self.balance = Balance(*gaia.gaia_balance(*self.errors))
        return errors

    def _error(self, image: Tensor, copy: Tensor, mask: Tensor | None) -> Tensor:
        _checks.check_tensor("critic", copy)
        _checks.check_shape("critic", copy, image.shape, "the images that it copies")
        return gaia.copying_error(image, copy, "l1" if self.published else "mse", mask)


class Copier(nn.Module):
    """Fresh copies of an encoder and a decoder, one after the other."""

    def __init__(self, encoder: Network, decoder: Network) -> None:
        super().__init__()
        self.into = fresh_copy(encoder)
        try:
            self.out = fresh_copy(decoder)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("encoder", "decoder")) from error

    @override
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Copies of images."""
        return call(self.out, call(self.into, x, mask), mask)
