"""The game of adversarial autoencoders: a critic that tells codes from samples of a prior."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import Unpack, override

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg._types import Network, Term
from interpreg.batch import Batch, call
from interpreg.bottlenecks.base import Bottleneck, bottlenecks_in
from interpreg.functional.game import GAMES
from interpreg.functional.means import knows_positions, mean_of_samples
from interpreg.priors import as_prior
from interpreg.regularizers.adversary import Adversary, Options
from interpreg.regularizers.latent_network import is_lazy, latent_network

LOSSES = ("bce", "hinge")


class LatentCritic(Adversary):
    r"""Terms ``latent``, ``critic/latent`` and ``critic/prior``: a critic d looks for codes among a prior's samples.

    .. math::
        L_\mathrm{latent} &= \lambda \, \overline{-\ln \sigma(d(z))} \\
        L_\mathrm{critic/latent} &= \overline{-\ln (1 - \sigma(d(z)))} \\
        L_\mathrm{critic/prior} &= \overline{-\ln \sigma(d(h))}, \qquad h \sim p

    with z = f(x), :math:`\sigma` the logistic function and means over the batch (Makhzani, Shlens, Jaitly, Goodfellow,
    Frey 2016, section 2; the encoder's loss is the non-saturating one, as published with ACAI). ``loss="hinge"``
    replaces them by the hinge losses. As many samples of the prior are drawn as there are codes, and terms of a sum
    that sample the same prior share them.

    Of sequences with a padding mask each position's code is compared with a sample of the prior of its own, and the
    default network, which then pools over valid positions, does not see the others.

    One backward is right for both players. Calls of the networks a batch: encoder 1, decoder 0, critic 2 (3 where it
    has batch statistics).

    Args:
        encoder, decoder: the pair; the decoder is not called.
        network: the critic network, codes to logits, which this module trains; several outputs for a code are
            averaged. With a padding mask it is called as ``network(z, mask)``. When not given:
            :func:`interpreg.latent_network` of ``code_shape``, or of the code of ``example``; with neither, its first
            layer takes its width from the first batch. Optimizers made before that hold its parameters and train them;
            those that look at shapes when they are made (Adagrad), DistributedDataParallel and torch.compile refuse
            them.
        code_shape: of one code, without the batch axis; None for a length that varies.
        example: a batch of inputs, of which one is encoded once, in evaluation mode and without gradients.
        prior: "normal", "ball", "sphere", a prior from :mod:`interpreg.priors`, a ``torch.distributions`` object, or a
            callable of the number of samples.
        loss: "bce" or "hinge".
        weight: lambda, of the autoencoder's term; at least 0.
        generator: draws the prior's samples.
        options: see :class:`Adversary`; ``adaptive`` wants the parameter at which gradients are compared, one of the
            encoder's, because no gradient of these terms goes through the decoder.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; two that say the same thing; an encoder in
            DistributedDataParallel without a network that is wrapped too; ``spectral_norm`` of a layer that has no
            width yet; at a call, a network that does not give something for each code.
    """

    name = "latent_critic"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        network: nn.Module | None = None,
        *,
        code_shape: Sequence[int | None] | None = None,
        example: Tensor | None = None,
        prior: object = "normal",
        loss: Literal["bce", "hinge"] = "bce",
        weight: float = 1.0,
        generator: torch.Generator | None = None,
        **options: Unpack[Options],
    ) -> None:
        _checks.check_one_of("loss", loss, LOSSES)
        _checks.check_network("encoder", encoder)
        if options.get("adaptive") is True:
            raise ValueError(
                "adaptive: expected False or a parameter of the encoder, got True; the decoder's last layer has no "
                "gradient of a latent critic to compare"
            )
        known = as_prior(prior)
        if network is None:
            network = _default(encoder, code_shape, example)
        elif code_shape is not None or example is not None:
            raise ValueError("network: expected None beside code_shape or example, which are what one is made of")
        if options.get("spectral_norm") and isinstance(network, nn.Module) and is_lazy(network):
            raise ValueError(
                "spectral_norm: expected False for a network whose first layer has no width yet, got True; give "
                "code_shape=, or example=, a batch"
            )
        super().__init__(encoder, decoder, network, weight=weight, **options)
        self.prior, self.loss, self.generator = known, loss, generator
        self._unfinished = is_lazy(self.network)

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        game = GAMES[self.loss]
        z, mask = batch.z, batch.mask
        if self._unfinished:
            self._finish(z, mask)
        fooled = self.read(self.frozen(z, mask), z, mask)
        on_codes, on_samples = (
            self.read(said, z, mask) for said in self.judged_each([z, self.draw(batch)], [mask, mask])
        )
        return {
            "latent": Term(game.fool(fooled), self.autoencoders(self.weight)),
            "critic/latent": Term(game.on_mix(on_codes, on_codes.detach()), self.critics()),
            "critic/prior": Term(game.on_real(on_samples), self.critics()),
        }

    def draw(self, batch: Batch) -> Tensor:
        """One sample of the prior for each code, or for each position of a padded sequence; shaped like the codes."""
        z, mask = batch.z, batch.mask
        if mask is None or not knows_positions(z, mask):
            samples = batch.prior_samples(self.prior, self.generator)
        else:
            positions = z.detach().flatten(0, 1).flatten(1)
            like = as_wide(positions)
            samples = self.prior.sample(len(like), like, self.generator)
        return samples.to(z.dtype).reshape(z.shape)

    def read(self, said: Tensor, z: Tensor, mask: Tensor | None) -> Tensor:
        """What the network said of each code as one logit, ``[B]``."""
        _checks.check_tensor("latent critic's network", said)
        _checks.check_batch_size("latent critic's network", said, len(z))
        return mean_of_samples(said, mask)

    def _finish(self, z: Tensor, mask: Tensor | None) -> None:
        """Give a lazy network its shapes, by a call that leaves nothing else behind."""
        if torch.compiler.is_compiling():
            raise RuntimeError(
                "latent critic's network: expected one whose shapes are known before it is compiled; give "
                "code_shape=, or example=, or call the regularizer once before compiling it"
            )
        with torch.inference_mode(False):  # so that parameters made during a validation can be trained
            _quietly(self.network, torch.zeros_like(z, requires_grad=False), mask)
        self._unfinished = False


def _default(encoder: Network, code_shape: Sequence[int | None] | None, example: Tensor | None) -> nn.Module:
    """The default network, typed and placed as the encoder is."""
    if isinstance(encoder, DistributedDataParallel):
        raise TypeError(
            "latent critic's network: expected one beside an encoder in DistributedDataParallel, got None, whose "
            "default would train without synchronisation; give DistributedDataParallel(latent_network(code_shape))"
        )
    if code_shape is not None and example is not None:
        raise ValueError("example: expected None beside code_shape, got both")
    if example is not None:
        _checks.check_tensor("example", example)
        code = _quietly(encoder, example[:1], None)
        for bottleneck in bottlenecks_in(encoder, Bottleneck):
            bottleneck.leave_note(None, None)
        _checks.check_tensor("encoder", code)
        code_shape = tuple(code.shape[1:])
    network = latent_network(code_shape)
    if not isinstance(encoder, nn.Module):
        return network
    _checks.check_unsharded("encoder", encoder, "give the latent critic a network of its own")
    like = next((p for p in encoder.parameters() if p.is_floating_point()), None)
    return network if like is None else network.to(like.device, like.dtype)


def _quietly(network: Network, value: Tensor, mask: Tensor | None) -> Tensor:
    """What a network says in evaluation mode, without gradients; its modes are then as they were."""
    modules = list(network.modules()) if isinstance(network, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        with torch.no_grad():
            return call(network, value, mask)
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
