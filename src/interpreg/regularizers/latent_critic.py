"""The game of adversarial autoencoders: a critic that distinguishes codes from samples of a prior."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._networks import is_synchronised, parameters_of
from interpreg._numerics import as_wide
from interpreg._references import Reference
from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.bottlenecks.base import Bottleneck, bottlenecks_in
from interpreg.functional.game import GAMES
from interpreg.functional.means import check_positions, has_positions, mean_of_samples
from interpreg.priors import as_prior, check_generator
from interpreg.regularizers.adversary import Adversary, quietly
from interpreg.regularizers.latent_network import latent_network
from interpreg.regularizers.weights import Adaptive, WeightLike

LOSSES = ("bce", "hinge")


class LatentCritic(Adversary):
    r"""Terms ``latent``, ``critic/latent`` and ``critic/prior``: a critic d distinguishes codes from a prior's samples.

    .. math::
        L_\mathrm{latent} &= \lambda \, \overline{-\ln \sigma(d(z))} \\
        L_\mathrm{critic/latent} &= \overline{-\ln (1 - \sigma(d(z)))} \\
        L_\mathrm{critic/prior} &= \overline{-\ln \sigma(d(h))}, \qquad h \sim p

    with z = f(x), :math:`\sigma` the logistic function and means over the batch (Makhzani, Shlens, Jaitly, Goodfellow,
    Frey 2016, section 2; the encoder's loss is the non-saturating one, as published with ACAI). ``loss="hinge"``
    replaces them by the hinge losses. As many samples of the prior are drawn as there are codes, and terms of a sum
    that sample the same prior share them. With a padding mask one sample is drawn for each position, and the default
    network pools over valid positions alone. Calls of the networks a batch: encoder 1, decoder 0, critic 3.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        critic: the critic network, codes to logits, which this module trains; several outputs for a code are
            averaged. With a padding mask it is called as ``network(z, mask)``. When not given:
            :func:`interpreg.latent_network` of ``code_shape``, or of the code of ``example``; with neither, its first
            layer takes its width from the first batch. Optimizers made before that train its parameters, except those
            that read shapes when they are made (Adagrad); DistributedDataParallel and torch.compile raise an error.
        code_shape: of one code, without the batch axis; None for a length that varies.
        example: a batch of inputs, the first of which is encoded once, in evaluation mode and without gradients.
        prior: "normal", "ball", "sphere", a prior from :mod:`interpreg.priors`, a ``torch.distributions`` object, or a
            callable of the number of samples.
        loss: "bce" or "hinge".
        weight, critic_weight: lambda, of the autoencoder's term, and of the critic's; see :class:`Adversary`. An
            ``Adaptive`` weight needs a parameter of the encoder: no gradient of these terms goes through the decoder.
        generator: draws the prior's samples; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; two that contradict each other; an encoder
            in DistributedDataParallel without a critic that is wrapped too; at a call, not one output for each code.
    """

    name = "latent_critic"
    prior = Reference()
    handed_on = frozenset({"code_shape", "example"})

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: nn.Module | None = None,
        *,
        code_shape: Sequence[int | None] | None = None,
        example: Tensor | None = None,
        prior: object = "normal",
        loss: Literal["bce", "hinge"] = "bce",
        weight: WeightLike = 1.0,
        critic_weight: WeightLike = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.check_one_of("loss", loss, LOSSES)
        _checks.check_network("encoder", encoder)
        if isinstance(weight, Adaptive) and weight.at is None:
            raise ValueError(
                "weight: expected Adaptive(..., at=a parameter of the encoder), got at=None, which is the decoder's "
                "last layer; it has no gradient of a latent critic to compare"
            )
        prior, generator = as_prior(prior), _checks.as_generator(generator)
        check_generator(prior, generator)
        if critic is None:
            critic = _default(encoder, code_shape, example)
        elif code_shape is not None or example is not None:
            raise ValueError("critic: expected None beside code_shape or example, which are for the default one")
        super().__init__(encoder, decoder, critic, weight=weight, critic_weight=critic_weight)
        self.prior, self.loss, self.generator = prior, loss, generator

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        game = GAMES[self.loss]
        return {
            "latent": Term(lambda: game.generator(self._logits(batch.z, batch, frozen=True)), self.weight),
            # these losses regress no coefficient
            "critic/latent": Term(lambda: game.critic_mix(self._logits(batch.z, batch), None), self.critic_weight),
            "critic/prior": Term(
                lambda: game.critic_real(self._logits(self.draw(batch), batch)), self.critic_weight
            ),
        }

    def _logits(self, z: Tensor, batch: Batch, frozen: bool = False) -> Tensor:
        """One logit for each code, ``[B]``."""
        output = (self.call_frozen if frozen else self.call_detached)(z, batch.mask)
        return self.judgement(output, z, batch.mask)

    def draw(self, batch: Batch) -> Tensor:
        """One sample of the prior for each code, or for each position of a padded sequence; shaped like the codes."""
        z, mask = batch.z, batch.mask
        if mask is None or not has_positions(z, mask):
            samples = batch.prior_samples(self.prior, self.generator)
        else:
            positions = z.detach().flatten(0, 1).flatten(1)
            like = as_wide(positions)
            samples = self.prior.sample(len(like), like, self.generator)
        return samples.to(z.dtype).reshape(z.shape)

    def judgement(self, output: Tensor, z: Tensor, mask: Tensor | None) -> Tensor:
        """The network's output as one logit a code, ``[B]``."""
        _checks.check_tensor("critic", output)
        _checks.check_batch_size("critic", output, len(z))
        check_positions("critic", output, mask)
        return mean_of_samples(output, mask)


def _default(encoder: Network, code_shape: Sequence[int | None] | None, example: Tensor | None) -> nn.Module:
    """The default network, in the dtype and on the device of the encoder."""
    if is_synchronised(encoder):
        raise TypeError(
            "critic: expected one beside an encoder in DistributedDataParallel, got None, whose "
            "default would train without synchronisation; give DistributedDataParallel(latent_network(code_shape))"
        )
    if code_shape is not None and example is not None:
        raise ValueError("example: expected None beside code_shape, got both")
    if example is not None:
        _checks.check_tensor("example", example)
        code = quietly(encoder, example[:1], None)
        for bottleneck in bottlenecks_in(encoder, Bottleneck):
            bottleneck.drop_aux()
        _checks.check_tensor("encoder", code)
        code_shape = tuple(code.shape[1:])
    network = latent_network(code_shape)
    _checks.check_unsharded("encoder", encoder, "give the latent critic a network, critic=")
    like = next((p for p in parameters_of(encoder) if p.is_floating_point()), None)
    return network if like is None else network.to(like.device, like.dtype)
