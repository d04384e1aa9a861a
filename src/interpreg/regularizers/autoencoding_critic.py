"""The game of GAIA: the critic is an autoencoder that should copy data and fail to copy interpolants."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Preset, Term
from interpreg.batch import Batch, CodeMixer, Decode, Need, call
from interpreg.functional import gaia
from interpreg.interpolator import Interpolator
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.base import as_interpolator
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.gaia_mixes import DirichletMix, HalfBatchMix
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

    By default the author's later rewrite, which works in any loop: terms ``reconstructed`` and
    ``interpolation``, and the critic's ``critic/real``, ``critic/reconstructed`` and ``critic/interpolation``,

    .. math::
        L_{f,g} &= \lambda (R_g + R_i), \qquad L_d = R_x + R_g - \min(R_i, R_x) \\
        R_x &= \overline{(x - d(x))^2}, \quad R_g = \overline{(x - d(\hat x))^2}, \quad
        R_i = \overline{(x_i - d(x_i))^2}

    so reconstructions count as data. There is no term for :math:`x - \hat x` itself: the critic, which is trained to
    map reconstructions to the data, takes its place. Codes are mixed all with all: convex combinations of the
    whole batch.

    With ``preset="published"``, the code of the paper: terms ``adversarial`` and ``critic/adversarial``,
    :func:`interpreg.functional.gaia_autoencoder_loss` and :func:`interpreg.functional.gaia_critic_loss` of mean
    absolute errors instead of squares. Their constants are for pixels in [0, 1]; here pixels are in [-1, 1], where such
    errors are twice as large, so the errors are those of :math:`(x + 1) / 2`. Pairs of codes are mixed, a little beyond
    their ends too. The two players are balanced by learning rates, because weights cancel in Adam; see
    ``balance``.

    Gradients go through both sides of :math:`R_i` and through all shares. One backward is right for both players.
    Calls of the networks a batch: encoder 1, decoder 2, critic 5.

    Args:
        encoder, decoder: the pair.
        critic: the critic network, images to images of the same shape, which this module trains. When not given: fresh
            copies of the encoder and the decoder, one after the other.
        preset: None or "published".
        interpolator: what mixes, instead of the preset's way.
        weight: lambda, of the autoencoder's terms; at least 0.
        distance_weight: with the preset, of :func:`interpreg.functional.distance_loss` inside the autoencoder's clip;
            at least 0, and published as 5e-5.
        generator: where coefficients come from.
        critic_weight: see :class:`Adversary`.

    Attributes:
        errors: the last call's :math:`R_x, R_g, R_i`.
        balance: with the preset, the shares of the learning rate after the last call,
            :func:`interpreg.functional.gaia_balance`. A loop with an optimizer for each player may set
            ``group["lr"] = lr * float(reg.balance.critic)`` before the step (or a tensor, where optimizers take one:
            ``capturable=True``). None without it.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a generator beside an interpolator; a
            distance weight without the preset; at a call, fewer than two samples, or copies that are not shaped
            like their images.
    """

    name = "critic"
    distance_weight = Weight(adaptive=False)

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: nn.Module | None = None,
        *,
        preset: Preset = None,
        interpolator: Interpolator | None = None,
        weight: WeightLike = 1.0,
        distance_weight: WeightLike = 0.0,
        generator: torch.Generator | None = None,
        critic_weight: WeightLike = 1.0,
    ) -> None:
        published = _checks.is_published(preset)
        if interpolator is not None and generator is not None:
            raise ValueError("generator: expected None beside an interpolator, which has a generator of its own")
        if not published and distance_weight != 0.0:
            raise ValueError(
                f"distance_weight: expected 0 without preset='published', got {distance_weight!r}; add "
                "PairwiseDistance instead"
            )
        interpolator = as_interpolator(interpolator)
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
        """The interpolator given, or None for the preset's own mix."""
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
                "critic/adversarial": Term(
                    lambda: gaia.gaia_critic_loss(*self._critic_errors(batch)), critic_weight
                ),
            }
        return {
            "reconstructed": Term(partial(self._frozen_error, batch, mixed=False), weight),
            "interpolation": Term(partial(self._frozen_error, batch, mixed=True), weight),
            "critic/real": Term(lambda: self._critic_errors(batch).real, critic_weight),
            "critic/reconstructed": Term(lambda: self._critic_errors(batch).reconstructed, critic_weight),
            "critic/interpolation": Term(partial(self._missed, batch), critic_weight),
        }

    def _frozen_error(self, batch: Batch, mixed: bool) -> Tensor:
        """The frozen critic's error in copying reconstructions to x, or interpolants to themselves."""
        if not mixed:
            return self._error(batch.x, self.call_frozen(batch.x_hat, batch.mask), batch.mask)
        mix = batch.interpolants(self._mixer)
        return self._error(mix.x_mix, self.call_frozen(mix.x_mix, mix.mask), mix.mask)

    def _published_loss(self, batch: Batch) -> Tensor:
        of_hat, of_mix = self._frozen_error(batch, mixed=False), self._frozen_error(batch, mixed=True)
        return gaia.gaia_autoencoder_loss(of_hat, of_mix, self._distance(batch))

    def _missed(self, batch: Batch) -> Tensor:
        errors = self._critic_errors(batch)
        return gaia.missed(errors.real, errors.interpolation)

    def _critic_errors(self, batch: Batch) -> "Errors":
        """The errors of the critic's own pass, with their graph."""
        return batch.once("critic errors", self, partial(self._compute_errors, batch))

    def _compute_errors(self, batch: Batch) -> "Errors":
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

    def _distance(self, batch: Batch) -> Tensor | float:
        weight = self.distance_weight
        assert not isinstance(weight, Adaptive)
        if not isinstance(weight, Tensor) and weight == 0:
            return 0.0
        return weight * gaia.distance_loss(batch.x, batch.z, batch.mask)

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
