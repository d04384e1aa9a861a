"""The two-player game around a critic network."""

from typing import Literal

from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Interpolants, Network, Term
from interpreg.batch import Batch
from interpreg.functional.game import GAMES
from interpreg.functional.means import mean_of_samples
from interpreg.functional.mixing import mix
from interpreg.interpolator import Interpolator
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.base import as_interpolator
from interpreg.regularizers.fresh_copy import fresh_copy

JUDGES = ("mean", "code", "logit")


class Critic(Adversary):
    r"""Terms ``interpolation``, ``critic/interpolation`` and ``critic/real``: a critic d looks for interpolants.

    .. math::
        L_\mathrm{interpolation} &= \lambda \, \overline{d(x_\mathrm{mix})^2} \\
        L_\mathrm{critic/interpolation} &= \overline{(d(x_\mathrm{mix}) - \alpha)^2} \\
        L_\mathrm{critic/real} &= \overline{d(\gamma x + (1 - \gamma) \hat x)^2}

    with ``loss="regression"`` (ACAI, eqs 1 and 2; bars are means over the batch and over the judgement's
    elements). ``"bce"`` and ``"hinge"`` replace them by the losses of :data:`interpreg.functional.game.GAMES`,
    where the judgement is a logit, high for real.

    One backward is right for both players: the first term gives the critic's parameters exactly no gradient
    (they are detached, so none is computed), the other two give the encoder and decoder exactly none (their
    images are detached). The adversarial pass leaves the critic's buffers (batch statistics) as they were.
    Calls of the networks a batch: encoder 1, decoder 2 (1 with ``gamma=1``), critic 3; with ``reconstructions``
    decoder 2, critic 5.

    Args:
        encoder, decoder: the pair.
        network: the critic network, images to judgements, which this module trains. When not given:
            :func:`interpreg.fresh_copy` of the encoder.
        interpolator: what mixes; when not given, what the sum lends, or else ACAI's.
        loss: "regression", "bce" or "hinge".
        judge: how the network's output is read. "mean": all of a sample's outputs averaged to one number (ACAI,
            section 3.2). "code": one judgement an element, so the output must be shaped like the code (MI-AE).
            "logit": the output is one number a sample already, ``[B]`` or ``[B, 1]``.
        gamma: in [0, 1], weight of the data in what the critic sees as real; the rest is reconstruction.
        reconstructions: if given, reconstructions are looked for as interpolants are (AMR): terms ``reconstructed``,
            with this weight, and ``critic/reconstructed``. For "bce" and "hinge", whose critic knows no coefficient.
        weight: lambda, of the autoencoder's term; at least 0.
        critic_weight, critic_start, adversarial_start, adversarial_ramp, spectral_norm, adaptive: see
            :class:`Adversary`.

    A network with activation checkpointing cannot be frozen: torch recomputes it unfrozen in the backward, and
    says so with a ``CheckpointError``. In the encoder and decoder checkpointing is welcome.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a network that shares parameters
            with the encoder or decoder; at a call, an output that does not match ``judge``.
    """

    name = "critic"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        network: nn.Module | None = None,
        *,
        interpolator: Interpolator | None = None,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "mean",
        gamma: float = 0.2,
        reconstructions: float | None = None,
        weight: float = 0.5,
        critic_weight: float = 1.0,
        critic_start: int = 0,
        adversarial_start: int = 0,
        adversarial_ramp: int = 0,
        spectral_norm: bool = False,
        adaptive: bool | Tensor = False,
    ) -> None:
        _checks.check_one_of("loss", loss, GAMES)
        _checks.check_one_of("judge", judge, JUDGES)
        if reconstructions is not None and loss == "regression":
            raise ValueError(
                "reconstructions: expected None with loss='regression', whose critic is told reconstructions are real "
                f"(gamma), got {reconstructions!r}"
            )
        _checks.check_network("encoder", encoder)
        super().__init__(
            encoder, decoder, fresh_copy(encoder) if network is None else network, weight=weight,
            critic_weight=critic_weight, critic_start=critic_start, adversarial_start=adversarial_start,
            adversarial_ramp=adversarial_ramp, spectral_norm=spectral_norm, adaptive=adaptive,
        )  # fmt: skip
        self.gamma = _checks.as_number("gamma", gamma, high=1.0)
        self.reconstructions = (
            reconstructions if reconstructions is None else _checks.as_number("reconstructions", reconstructions)
        )
        self.interpolator = as_interpolator(interpolator)
        self.loss = loss
        self.judge = judge

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        game = GAMES[self.loss]
        mixed = batch.interpolants(self.interpolator)
        code, mask = mixed.z_mix, mixed.mask
        fooled = self.read(self.frozen(mixed.x_mix, mask), code, mask)
        on_mix = self.read(self.judged(mixed.x_mix, mask), code, mask)
        on_real = self.read(self.judged(self.real(batch), batch.mask), batch.z, batch.mask)
        terms = {
            "interpolation": Term(game.fool(fooled, mask), self.autoencoders(self.weight)),
            "critic/interpolation": Term(game.on_mix(on_mix, self.target(mixed), mask), self.critics()),
            "critic/real": Term(game.on_real(on_real, batch.mask), self.critics()),
        }
        return terms if self.reconstructions is None else terms | self._reconstructed(batch, self.reconstructions)

    def _reconstructed(self, batch: Batch, weight: float) -> dict[str, Term]:
        game = GAMES[self.loss]
        fooled = self.read(self.frozen(batch.x_hat, batch.mask), batch.z, batch.mask)
        judged = self.read(self.judged(batch.x_hat, batch.mask), batch.z, batch.mask)
        return {
            "reconstructed": Term(game.fool(fooled, batch.mask), self.autoencoders(weight)),
            "critic/reconstructed": Term(game.on_mix(judged, judged.detach(), batch.mask), self.critics()),
        }

    def real(self, batch: Batch) -> Tensor:
        """What the critic is shown as real: the data, blended with reconstructions."""
        x = batch.x.detach()
        return x if self.gamma == 1 else mix(x, batch.x_hat.detach(), self.gamma)

    @override
    def lends(self) -> Interpolator | None:
        return self.interpolator

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        (self.interpolator or lent).check_batch(size)

    def read(self, said: Tensor, code: Tensor, mask: Tensor | None) -> Tensor:
        """The critic's output as a judgement of each sample, ``[B]``, or of each element of its code."""
        _checks.check_tensor("critic network", said)
        _checks.check_batch_size("critic network", said, len(code))
        if self.judge == "mean":
            return mean_of_samples(said, mask)
        if self.judge == "code":
            _checks.check_shape("critic network", said, code.shape, "the code (judge='code')")
            return said
        if said.numel() != len(said):
            raise ValueError(
                f"critic network: expected one logit a sample (judge='logit'), shape [{len(said)}] or "
                f"[{len(said)}, 1], got {_checks.describe(said)}"
            )
        return said.reshape(len(said))

    def target(self, mixed: Interpolants) -> Tensor:
        """The coefficient in the shape of the judgement."""
        if self.judge == "code":
            return mixed.alpha.expand_as(mixed.z_mix)
        return mixed.alpha.expand(len(mixed.z_mix), *mixed.alpha.shape[1:]).reshape(len(mixed.z_mix), -1).mean(1)
