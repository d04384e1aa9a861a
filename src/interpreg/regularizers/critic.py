"""The two-player game around a critic network."""

import warnings
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Interpolants, Network, Term
from interpreg.batch import Batch
from interpreg.functional.game import GAMES
from interpreg.functional.mixing import mix
from interpreg.interpolator import Interpolator
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.fresh_copy import fresh_copy

JUDGES = ("mean", "code", "logit")
PATIENCE = 100  # training calls with gradients waiting after which a critic counts as forgotten


class Critic(Regularizer):
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
    Calls of the networks a batch: encoder 1, decoder 2 (1 with ``gamma=1``), critic 3.

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
        weight: lambda, of the autoencoder's term; at least 0.
        critic_weight: of the critic's two terms; at least 0.
        critic_start: training step from which on the critic's terms count.
        adversarial_start: training step from which on the autoencoder's term counts ...
        adversarial_ramp: ... and over how many steps its weight then grows from 0 to ``weight``, linearly.
        spectral_norm: normalise every linear and convolutional layer of the network (Miyato et al. 2018).

    Steps are counted in the buffer ``step``: one for each call in training mode with gradients enabled (so one
    a micro-batch where gradients are accumulated).

    A network with activation checkpointing cannot be frozen: torch recomputes it unfrozen in the backward, and
    says so with a ``CheckpointError``. In the encoder and decoder checkpointing is welcome.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a network that shares parameters
            with the encoder or decoder; at a call, an output that does not match ``judge``.
    """

    name = "critic"

    step: Tensor

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
        weight: float = 0.5,
        critic_weight: float = 1.0,
        critic_start: int = 0,
        adversarial_start: int = 0,
        adversarial_ramp: int = 0,
        spectral_norm: bool = False,
    ) -> None:
        _checks.is_one_of("loss", loss, GAMES)
        _checks.is_one_of("judge", judge, JUDGES)
        super().__init__(encoder, decoder)
        self.gamma = _checks.is_number("gamma", gamma, high=1.0)
        self.weight = _checks.is_number("weight", weight)
        self.critic_weight = _checks.is_number("critic_weight", critic_weight)
        self.critic_start = _checks.is_count("critic_start", critic_start)
        self.adversarial_start = _checks.is_count("adversarial_start", adversarial_start)
        self.adversarial_ramp = _checks.is_count("adversarial_ramp", adversarial_ramp)
        self.interpolator = _strategy(interpolator)
        self.loss = loss
        self.judge = judge
        self.network = _own(fresh_copy(encoder) if network is None else network, encoder, decoder)
        if spectral_norm:
            _normalise(self.network)
        device = next(self.network.parameters()).device
        self.register_buffer("step", torch.zeros((), dtype=torch.long, device=device))
        self._watch = _Watch()

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        game = GAMES[self.loss]
        mixed = batch.interpolants(self.interpolator)
        real = batch.x.detach() if self.gamma == 1 else mix(batch.x.detach(), batch.x_hat.detach(), self.gamma)
        fooled = self._read(functional_call(self.network, _frozen(self.network), (mixed.x_mix,)), mixed)
        on_mix = self._read(self.network(mixed.x_mix.detach()), mixed)
        on_real = self._read(self.network(real), mixed)
        critic_weight = self._schedule(self.critic_weight, self.critic_start)
        return {
            "interpolation": Term(
                game.fool(fooled), self._schedule(self.weight, self.adversarial_start, self.adversarial_ramp)
            ),
            "critic/interpolation": Term(game.on_mix(on_mix, self._target(mixed)), critic_weight),
            "critic/real": Term(game.on_real(on_real), critic_weight),
        }

    @override
    def lends(self) -> Interpolator | None:
        return self.interpolator

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        (self.interpolator or lent).check_batch(size)

    @override
    def advance(self) -> None:
        self.step += 1
        if not torch.compiler.is_compiling():
            self._watch.look(self.network)

    def _read(self, said: Tensor, mixed: Interpolants) -> Tensor:
        """The critic's output as a judgement of each image, ``[B]``, or of each element of its code."""
        _checks.is_tensor("critic network", said)
        _checks.has_batch("critic network", said, len(mixed.x_mix))
        if self.judge == "mean":
            return said.reshape(len(said), -1).mean(1, dtype=torch.promote_types(said.dtype, torch.float32))
        if self.judge == "code":
            _checks.has_shape("critic network", said, mixed.z_mix.shape, "the code (judge='code')")
            return said
        if said.numel() != len(said):
            raise ValueError(
                f"critic network: expected one logit a sample (judge='logit'), shape [{len(said)}] or "
                f"[{len(said)}, 1], got {_checks.describe(said)}"
            )
        return said.reshape(len(said))

    def _target(self, mixed: Interpolants) -> Tensor:
        """The coefficient in the shape of the judgement."""
        if self.judge == "code":
            return mixed.alpha.expand_as(mixed.z_mix)
        return mixed.alpha.expand(len(mixed.z_mix), *mixed.alpha.shape[1:]).reshape(len(mixed.z_mix), -1).mean(1)

    def _schedule(self, weight: float, start: int, ramp: int = 0) -> float | Tensor:
        """``weight`` at this step: 0 before ``start``, then growing over ``ramp`` steps. Never waits."""
        if start == 0 and ramp == 0:
            return weight
        if ramp == 0:
            return weight * (self.step >= start)
        return weight * ((self.step - start) / ramp).clamp(0, 1)


class _Watch:
    """Notices that nobody ever updates a critic, though gradients are waiting for it call after call.

    Gradients that are cleared begin the count anew, so most loops never get further than a look at ``grad``.
    Where they are zeroed in place, the values half-way and at the end decide, compared once in a lifetime.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.sums: list[Tensor] = []

    def look(self, network: nn.Module) -> None:
        if self.waiting > PATIENCE:
            return
        trained = [p for p in network.parameters() if p.requires_grad]
        self.waiting = self.waiting + 1 if any(p.grad is not None for p in trained) else 0
        if self.waiting == PATIENCE // 2:
            self.sums = [p.detach().sum() for p in trained]
        elif self.waiting > PATIENCE and all(
            torch.equal(p.detach().sum(), was) for p, was in zip(trained, self.sums, strict=True)
        ):
            warnings.warn(
                f"the critic has had gradients for {PATIENCE} training calls and is not updated: "
                "add *reg.parameters() to an optimizer (reg.check_optimizers(optimizer) tells at once)",
                stacklevel=4,
            )


def _frozen(network: nn.Module) -> dict[str, Tensor]:
    """The network's state, cut off from autograd, with buffers whose changes are nobody's."""
    state = {name: p.detach() for name, p in network.named_parameters()}
    return state | {name: b.clone() for name, b in network.named_buffers()}


def _own(network: object, encoder: object, decoder: object) -> nn.Module:
    """``network``, if it is one that a critic can train without touching the pair."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"critic network: expected an nn.Module to train, got {_checks.describe(network)}")
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise TypeError(
            "critic network: expected plain modules, got some made by torch.jit, which cannot be frozen"
        )
    _checks.is_whole("critic network", network, "leave the critic whole and wrap it in DistributedDataParallel")
    trained = {id(p) for p in network.parameters() if p.requires_grad}
    if not trained:
        raise ValueError("critic network: expected parameters to train, got a network that has none")
    for role, other in (("encoder", encoder), ("decoder", decoder)):
        if isinstance(other, nn.Module) and any(id(p) in trained for p in other.parameters()):
            raise ValueError(
                f"critic network: expected parameters of its own, got some of the {role}'s, which the critic's "
                "losses would train too; copy it first: fresh_copy(network)"
            )
    return network


def _strategy(interpolator: object) -> Interpolator | None:
    if interpolator is not None and not isinstance(interpolator, Interpolator):
        raise TypeError(f"interpolator: expected an Interpolator, got {_checks.describe(interpolator)}")
    return interpolator


def _normalise(network: nn.Module) -> None:
    layers = (
        nn.Linear,
        nn.Conv1d,
        nn.Conv2d,
        nn.Conv3d,
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
    )
    for module in list(network.modules()):
        if isinstance(module, layers) and not nn.utils.parametrize.is_parametrized(module, "weight"):
            parametrizations.spectral_norm(module)
