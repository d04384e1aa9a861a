"""What all critics have in common: a network of their own, frozen for the other player, a schedule, a watch."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations
from typing_extensions import TypedDict, override

from interpreg import _checks
from interpreg._types import Adaptive, Network
from interpreg.batch import call, together
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.weights import Weight, adaptive_at


class Options(TypedDict, total=False):
    """What every adversary takes besides its network and the weight of its main term."""

    critic_weight: float
    critic_start: int
    adversarial_start: int
    adversarial_ramp: int
    spectral_norm: bool
    adaptive: bool | Tensor


PATIENCE = 100  # training calls with gradients waiting after which a critic counts as forgotten


class Adversary(Regularizer):
    """A regularizer that trains a critic network against the autoencoder.

    One backward is right for both players: the autoencoder's terms call the network with detached parameters
    (:meth:`frozen`), so that no gradient of them is computed; the network's own terms see detached images or codes.
    The frozen pass leaves the network's buffers (batch statistics) as they were.

    Args:
        encoder, decoder: the pair.
        network: what this module trains.
        weight: of the autoencoder's terms; at least 0.
        critic_weight: of the critic's terms; at least 0.
        critic_start: training step from which on the critic's terms count.
        adversarial_start: training step from which on the autoencoder's terms count ...
        adversarial_ramp: ... and over how many steps their weight then grows from 0 to ``weight``, linearly.
        spectral_norm: normalise every linear and convolutional layer of the network (Miyato et al. 2018).
        adaptive: multiply the weight by :func:`interpreg.functional.adaptive_weight`, the ratio of the reconstruction's
            gradient to the adversarial one at the decoder's last layer: True, or the parameter to compare them at.
            Wants a reconstruction term in the sum; not for compiled code.

    Attributes:
        weight, critic_weight: may be changed at any time, by a schedule of the loop's own.
        step: a buffer; counts the calls in training mode with gradients enabled (so one a micro-batch where gradients
            are accumulated).

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a network that shares parameters with the
            encoder or decoder.
    """

    step: Tensor
    weight = Weight()
    critic_weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        network: object,
        *,
        weight: float,
        critic_weight: float = 1.0,
        critic_start: int = 0,
        adversarial_start: int = 0,
        adversarial_ramp: int = 0,
        spectral_norm: bool = False,
        adaptive: bool | Tensor = False,
    ) -> None:
        super().__init__(encoder, decoder)
        self.weight = weight
        self.critic_weight = critic_weight
        self.critic_start = _checks.as_count("critic_start", critic_start)
        self.adversarial_start = _checks.as_count("adversarial_start", adversarial_start)
        self.adversarial_ramp = _checks.as_count("adversarial_ramp", adversarial_ramp)
        self.network = _own(network, encoder, decoder)
        self._at = (adaptive_at(adaptive, decoder),)  # in a tuple: it is the decoder's
        if spectral_norm:
            _normalise(self.network)
        device = next(self.network.parameters()).device
        self.register_buffer("step", torch.zeros((), dtype=torch.long, device=device))
        self._watch = _Watch()

    @override
    def advance(self) -> None:
        self.step += 1
        if not torch.compiler.is_compiling():
            self._watch.look(self.network)

    def frozen(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the network says, for the autoencoder to learn from; the network's parameters get no gradient."""
        arguments = (value,) if mask is None else (value, mask)
        return functional_call(self.network, _frozen(self.network), arguments)  # type: ignore[no-any-return]

    def frozen_each(self, values: Sequence[Tensor], masks: Sequence[Tensor | None]) -> list[Tensor]:
        """:meth:`frozen` of several batches, in one call where the network has no batch statistics."""
        return together(self.frozen, self.network, list(values), list(masks))

    def judged(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the network says of something detached, for itself to learn from."""
        return call(self.network, value.detach(), mask)

    def judged_each(self, values: Sequence[Tensor], masks: Sequence[Tensor | None]) -> list[Tensor]:
        """:meth:`judged` of several batches, in one call where the network has no batch statistics."""
        return together(self.judged, self.network, list(values), list(masks))

    def autoencoders(self, weight: float | Tensor) -> float | Tensor | Adaptive:
        """A weight of the autoencoder's at this step, for its :class:`interpreg.Term`."""
        now = self._schedule(weight, self.adversarial_start, self.adversarial_ramp)
        (at,) = self._at
        return now if at is None else Adaptive(now, at)

    def critics(self) -> float | Tensor:
        """The weight of the critic's terms at this step."""
        return self._schedule(self.critic_weight, self.critic_start)

    def _schedule(self, weight: float | Tensor, start: int, ramp: int = 0) -> float | Tensor:
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
    _checks.check_unsharded(
        "critic network", network, "leave the critic whole and wrap it in DistributedDataParallel"
    )
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
