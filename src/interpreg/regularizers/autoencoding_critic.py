"""The game of GAIA: a critic that is an autoencoder itself, and copies what it takes for data."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import Unpack, override

from interpreg import _checks
from interpreg._types import Network, Term
from interpreg.batch import Batch, Source, call
from interpreg.functional import gaia
from interpreg.interpolator import Interpolator
from interpreg.regularizers.adversary import Adversary, Options
from interpreg.regularizers.base import as_interpolator
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.gaia_mixes import Halves, Whole
from interpreg.regularizers.weights import Weight

FORMS = ("simple", "published")


class Errors(NamedTuple):
    """How well the critic copied, in its own pass; 0-dim, detached."""

    real: Tensor
    reconstructed: Tensor
    interpolation: Tensor


class Balance(NamedTuple):
    """What share of the learning rate is each player's; 0-dim, detached, in [0, 1], of sum 1."""

    autoencoder: Tensor
    critic: Tensor


class AutoencodingCritic(Adversary):
    r"""A critic d, images to images, that copies the data and fails to copy interpolants (GAIA).

    With ``form="simple"``, the author's later rewrite, which works in any loop: terms ``reconstructed`` and
    ``interpolation``, and the critic's ``critic/real``, ``critic/reconstructed`` and ``critic/interpolation``,

    .. math::
        L_{f,g} &= \lambda (R_g + R_i), \qquad L_d = R_x + R_g - \min(R_i, R_x) \\
        R_x &= \overline{(x - d(x))^2}, \quad R_g = \overline{(x - d(\hat x))^2}, \quad
        R_i = \overline{(x_i - d(x_i))^2}

    so reconstructions count as data. There is no term for :math:`x - \hat x` itself: reconstructions are right where
    the critic makes the data of them, which it learns as well. Codes are mixed all with all: convex combinations of the
    whole batch.

    With ``form="published"``, the code of the paper: terms ``adversarial`` and ``critic/adversarial``, as
    :func:`interpreg.functional.gaia_autoencoder_loss` and :func:`interpreg.functional.gaia_critic_loss` say, of mean
    absolute errors instead of squares. Their constants are for pixels in [0, 1]; here pixels are in [-1, 1], where such
    errors are twice as large, so the errors are those of :math:`(x + 1) / 2`. Pairs of codes are mixed, a little beyond
    their ends too. The two players are balanced by learning rates, not by weights, which Adam does not feel; see
    ``balance``.

    Gradients go through both sides of :math:`R_i` and through all shares. One backward is right for both players.
    Calls of the networks a batch: encoder 1, decoder 1, critic 2 (decoder 2 and critic 5 where they have batch
    statistics).

    Args:
        encoder, decoder: the pair.
        network: the critic network, images to images of the same shape, which this module trains. When not given: fresh
            copies of the encoder and the decoder, one after the other.
        form: "simple" or "published".
        interpolator: what mixes, instead of the form's way.
        weight: lambda, of the autoencoder's terms; at least 0.
        distance_weight: published form: of :func:`interpreg.functional.distance_loss` inside the autoencoder's clip;
            at least 0, and published as 5e-5.
        generator: where coefficients come from.
        options: see :class:`Adversary`.

    Attributes:
        errors: the last call's :math:`R_x, R_g, R_i`.
        balance: published form: shares of the learning rate after the last call,
            :func:`interpreg.functional.gaia_balance`. A loop that wants them, with an optimizer for each player, sets
            ``group["lr"] = lr * float(reg.balance.critic)`` before it steps (or a tensor, where optimizers take one:
            ``capturable=True``). None with the simple form.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a generator beside an interpolator; a
            distance weight beside the simple form; at a call, fewer than two samples, or copies that are not shaped
            like their images.
    """

    name = "critic"
    distance_weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        network: nn.Module | None = None,
        *,
        form: Literal["simple", "published"] = "simple",
        interpolator: Interpolator | None = None,
        weight: float = 1.0,
        distance_weight: float = 0.0,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        _checks.check_one_of("form", form, FORMS)
        if interpolator is not None and generator is not None:
            raise ValueError("generator: expected None beside an interpolator, which has a generator of its own")
        if form == "simple" and _checks.as_number("distance_weight", distance_weight) > 0:
            raise ValueError(
                f"distance_weight: expected 0 for form='simple', got {distance_weight!r}; add PairwiseDistance instead"
            )
        self._is_pair(encoder, decoder)
        super().__init__(
            encoder, decoder, Copier(encoder, decoder) if network is None else network, weight=weight, **options
        )
        self.form, self.distance_weight = form, distance_weight
        self.interpolator = as_interpolator(interpolator)
        self.source: Source = self.interpolator or (Whole if form == "simple" else Halves)(generator)
        self.errors: Errors | None = None
        self.balance: Balance | None = None

    @staticmethod
    def _is_pair(encoder: object, decoder: object) -> None:
        _checks.check_network("encoder", encoder)
        _checks.check_network("decoder", decoder)

    @override
    def announce(self, batch: Batch) -> None:
        batch.expect(self.source, together=True)

    @override
    def lends(self) -> Interpolator | None:
        return self.interpolator

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        if self.interpolator is not None:
            self.interpolator.check_batch(size)
        elif size < 2:
            raise ValueError(
                f"x: expected a batch of at least 2 samples to mix with each other, got {size}; drop the last batch "
                "(drop_last=True)"
            )

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        x, mixed = batch.x, batch.interpolants(self.source)
        x_hat, x_mix, masks = batch.x_hat, mixed.x_mix, [batch.mask, mixed.mask]
        targets, own_masks = [x, x, x_mix], [batch.mask, *masks]
        of_hat, of_mix = (
            self._error(*each)
            for each in zip(targets[1:], self.frozen_each([x_hat, x_mix], masks), masks, strict=True)
        )
        real, reconstructed, interpolation = (
            self._error(target.detach(), copy, mask)
            for target, copy, mask in zip(
                targets, self.judged_each([x, x_hat, x_mix], own_masks), own_masks, strict=True
            )
        )
        self.errors = Errors(real.detach(), reconstructed.detach(), interpolation.detach())
        if self.form == "simple":
            return {
                "reconstructed": Term(of_hat, self.autoencoders(self.weight)),
                "interpolation": Term(of_mix, self.autoencoders(self.weight)),
                "critic/real": Term(real, self.critics()),
                "critic/reconstructed": Term(reconstructed, self.critics()),
                "critic/interpolation": Term(gaia.missed(real, interpolation), self.critics()),
            }
        self.balance = Balance(*gaia.gaia_balance(*self.errors))
        fooled = gaia.gaia_autoencoder_loss(of_hat, of_mix, self._distance(batch))
        caught = gaia.gaia_critic_loss(real, reconstructed, interpolation)
        return {
            "adversarial": Term(fooled, self.autoencoders(self.weight)),
            "critic/adversarial": Term(caught, self.critics()),
        }

    def _distance(self, batch: Batch) -> Tensor | float:
        if not isinstance(self.distance_weight, Tensor) and self.distance_weight == 0:
            return 0.0
        return self.distance_weight * gaia.distance_loss(batch.x, batch.z, batch.mask)

    def _error(self, image: Tensor, copy: Tensor, mask: Tensor | None) -> Tensor:
        _checks.check_tensor("critic network", copy)
        _checks.check_shape("critic network", copy, image.shape, "the images that it copies")
        return gaia.copying_error(image, copy, "mse" if self.form == "simple" else "l1", mask)


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
