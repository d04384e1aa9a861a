"""The two-player game of a critic of interpolants."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Interpolants, Network, Term
from interpreg.batch import Batch
from interpreg.functional.game import GAMES
from interpreg.functional.means import check_positions, mean_of_samples
from interpreg.needs import DEFAULT, CodeMixer, Decode, Need
from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.blind_critic import BlindCriticCheck
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.mixers import as_mixer
from interpreg.regularizers.plan import check_regressed
from interpreg.regularizers.weights import Weight, WeightLike

JUDGES = ("mean", "code", "logit")


class Source(NamedTuple):
    """One kind of generated image that a critic judges."""

    name: str
    """The name of its term."""
    mixer: CodeMixer
    weight: Any
    """The weight of the autoencoder's loss."""


class Critic(Adversary):
    r"""Terms ``interpolation``, ``critic/interpolation`` and ``critic/real``: a critic d detects interpolants.

    .. math::
        L_\mathrm{interpolation} &= \lambda \, \overline{d(x_\mathrm{mix})^2} \\
        L_\mathrm{critic/interpolation} &= \overline{(d(x_\mathrm{mix}) - \alpha)^2} \\
        L_\mathrm{critic/real} &= \overline{d(\gamma x + (1 - \gamma) \hat x)^2}

    with ``loss="regression"`` (ACAI, eqs 1 and 2; bars are means over the batch and over the judgement's elements).
    ``"bce"`` and ``"hinge"`` replace them by the losses of :data:`interpreg.functional.game.GAMES`, where the judgement
    is a logit, high for real. One backward is right for both players, as for every :class:`Adversary`. Calls of the
    networks a batch: encoder 1, decoder 2 (1 with ``gamma=1``), critic 3; with ``reconstructed_weight`` decoder 2,
    critic 5.

    Args:
        encoder, decoder: the pair.
        critic: the critic network, images to judgements, which this module trains. When not given:
            :func:`interpreg.fresh_copy` of the encoder.
        interpolator: mixes the codes; when not given, the one that was added to the sum, or else ACAI's.
        loss: "regression", "bce" or "hinge".
        judge: the judgement as a function of the network's output. "mean": the mean of a sample's outputs (ACAI,
            section 3.2). "code": one judgement an element, so the output must be shaped like the code (MI-AE).
            "logit": the output is one number a sample already, ``[B]`` or ``[B, 1]``.
        gamma: in [0, 1], weight of the data in the critic's real images; the rest is reconstruction, and all where x
            is NaN, as values that are missing may be. With 1 the network is given x as it is.
        reconstructed_weight: if given, reconstructions are judged as interpolants are (AMR): terms
            ``reconstructed``, with this weight, and ``critic/reconstructed``. For "bce" and "hinge", which regress no
            coefficient.
        weight: lambda, of ``interpolation``; see :class:`Adversary`, as for critic_weight.

    A critic network with activation checkpointing cannot be frozen, because torch recomputes it unfrozen in the
    backward, and is refused. In the encoder and decoder checkpointing works.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; an interpolator whose coefficients reach 1
            beside "regression", where 0 is the target of reconstructions; a network that shares parameters with the
            encoder or decoder; at a call, an output that does not match ``judge``.
    """

    name = "critic"
    reconstructed_weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: nn.Module | None = None,
        *,
        interpolator: CodeMixer | None = None,
        loss: Literal["regression", "bce", "hinge"] = "regression",
        judge: Literal["mean", "code", "logit"] = "mean",
        gamma: float = 0.2,
        reconstructed_weight: WeightLike | None = None,
        weight: WeightLike = 0.5,
        critic_weight: WeightLike = 1.0,
    ) -> None:
        _checks.check_one_of("loss", loss, GAMES)
        _checks.check_one_of("judge", judge, JUDGES)
        if reconstructed_weight is not None and loss == "regression":
            raise ValueError(
                "reconstructed_weight: expected None with loss='regression', which counts reconstructions as "
                f"real (gamma), got {reconstructed_weight!r}"
            )
        _checks.check_network("encoder", encoder)
        critic = fresh_copy(encoder) if critic is None else critic
        super().__init__(encoder, decoder, critic, weight=weight, critic_weight=critic_weight)
        self.gamma = _checks.as_number("gamma", gamma, high=1.0)
        self._judges_reconstructions = reconstructed_weight is not None
        self.reconstructed_weight = 0.0 if reconstructed_weight is None else reconstructed_weight
        self.interpolator = as_mixer(interpolator)
        if loss == "regression" and interpolator is not None:
            check_regressed(interpolator)
        self.loss = loss
        self.judge = judge
        self._blind = BlindCriticCheck()

    def sources(self) -> tuple[Source, ...]:
        """The kinds of generated images that are judged, each with the weight of its generator loss."""
        return (Source("interpolation", self.interpolator or DEFAULT, self.weight),)

    @override
    def needs(self) -> Sequence[Need]:
        return [Decode(source.mixer, regressed=self.loss == "regression") for source in self.sources()]

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        sources, critic_weight = self.sources(), self.critic_weight
        terms = {s.name: Term(partial(self._generator_loss, batch, s.mixer), s.weight) for s in sources}
        for source in sources:
            terms[f"critic/{source.name}"] = Term(partial(self._critic_loss, batch, source.mixer), critic_weight)
        terms["critic/real"] = Term(partial(self._real_loss, batch), critic_weight)
        if self._judges_reconstructions:
            terms["reconstructed"] = Term(partial(self._reconstructed_loss, batch), self.reconstructed_weight)
            terms["critic/reconstructed"] = Term(partial(self._critic_reconstructed_loss, batch), critic_weight)
        return terms

    def _generator_loss(self, batch: Batch, mixer: CodeMixer) -> Tensor:
        mixed = batch.interpolants(mixer)
        output = self.call_frozen(mixed.x_mix, mixed.mask)
        return GAMES[self.loss].generator(self.judgement(output, mixed.z_mix, mixed.mask), mixed.mask)

    def _critic_loss(self, batch: Batch, mixer: CodeMixer) -> Tensor:
        mixed = batch.interpolants(mixer)
        judgement = self.judgement(self.call_detached(mixed.x_mix, mixed.mask), mixed.z_mix, mixed.mask)
        return GAMES[self.loss].critic_mix(judgement, self.target(mixed), mixed.mask)

    def _real_loss(self, batch: Batch) -> Tensor:
        output = self.call_detached(self.real(batch), batch.mask)
        return GAMES[self.loss].critic_real(self.judgement(output, batch.z, batch.mask), batch.mask)

    def _reconstructed_loss(self, batch: Batch) -> Tensor:
        output = self.call_frozen(batch.x_hat, batch.mask)
        return GAMES[self.loss].generator(self.judgement(output, batch.z, batch.mask), batch.mask)

    def _critic_reconstructed_loss(self, batch: Batch) -> Tensor:
        judgement = self.judgement(self.call_detached(batch.x_hat, batch.mask), batch.z, batch.mask)
        return GAMES[self.loss].critic_mix(judgement, judgement.detach(), batch.mask)

    def real(self, batch: Batch) -> Tensor:
        """The real images of the critic: the data, blended with reconstructions, which replace NaN."""
        if self.gamma == 1:  # as the encoder is given them
            return batch.x.detach()
        x = batch.observed
        return torch.lerp(batch.x_hat.detach().to(x.dtype), x, self.gamma)

    def judgement(self, output: Tensor, code: Tensor, mask: Tensor | None) -> Tensor:
        """The network's output as a judgement of each sample, ``[B]``, or of each element of its code."""
        _checks.check_tensor("critic", output)
        _checks.check_batch_size("critic", output, len(code))
        if self.judge == "mean":
            check_positions("critic", output, mask)
            judgement = mean_of_samples(output, mask)
            if not self._blind.is_over:
                self._blind.after(output, judgement, self.loss)
            return judgement
        if self.judge == "code":
            _checks.check_shape("critic", output, code.shape, "the code (judge='code')")
            return output
        if output.numel() != len(output):
            raise ValueError(
                f"critic: expected one logit a sample (judge='logit'), shape [{len(output)}] or "
                f"[{len(output)}, 1], got {_checks.describe(output)}"
            )
        return output.reshape(len(output))

    def target(self, mixed: Interpolants) -> Tensor:
        """The coefficient in the shape of the judgement; of a whole sample the mean over its valid positions."""
        if self.judge == "code":
            return mixed.alpha.expand_as(mixed.z_mix)
        alpha, size = mixed.alpha, len(mixed.z_mix)
        if alpha.numel() == size:
            return alpha.reshape(size)
        return mean_of_samples(alpha.expand(size, *alpha.shape[1:]), mixed.mask)
