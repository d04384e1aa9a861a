"""The base of regularizers with a critic network, which is frozen in the autoencoder's terms."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from typing_extensions import override

from interpreg import _checks
from interpreg._networks import modules_of, submodules_of
from interpreg._types import Network
from interpreg.batch import call
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.frozen import Frozen
from interpreg.regularizers.latent_network import is_lazy
from interpreg.regularizers.processes import check_critic_is_synchronised
from interpreg.regularizers.stale_critic import StaleCriticCheck
from interpreg.regularizers.weights import Weight, WeightLike

NORMALISED_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


class Adversary(Regularizer):
    """A regularizer that trains a critic network against the autoencoder.

    One backward is right for both players: the autoencoder's terms call the network with detached parameters
    (:meth:`call_frozen`), so that no gradient of them is computed; the network's own terms are of detached images or
    codes (:meth:`call_detached`). The frozen pass does not change the network's buffers (batch statistics). Terms of
    weight 0 are not computed, and the player's parameters get no gradient.

    Args:
        encoder, decoder: the pair.
        critic: the network that this module trains. It cannot be replaced afterwards. Lazy layers get their shapes from
            the first call; an optimizer may be made before.
        weight: of the autoencoder's terms: a number of at least 0, a 0-dim tensor, a :class:`Ramp` or an
            :class:`Adaptive` ratio of gradients.
        critic_weight: of the critic's terms: a number, a tensor or a :class:`Ramp`.

    Attributes:
        weight, critic_weight: may be assigned at any time.
        network: the critic network; :attr:`critic` is the same.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; a network that shares parameters with the encoder
            or decoder. In the first training call, a network with activation checkpointing, one whose output depends on
            none of its parameters, or losses with which one player would train the other.
    """

    set_once = frozenset({"network"})
    weight = Weight()
    critic_weight = Weight(adaptive=False)

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: object,
        *,
        weight: WeightLike,
        critic_weight: WeightLike = 1.0,
    ) -> None:
        super().__init__(encoder, decoder)
        self.network = _as_critic(critic, encoder, decoder)
        self._frozen = Frozen(self.network)
        self._is_lazy = is_lazy(self.network)
        self.step = torch.zeros((), dtype=torch.long, device=next(self.network.parameters()).device)
        self.weight = weight
        self.critic_weight = critic_weight
        self._stale = StaleCriticCheck(self.network)

    @property
    def critic(self) -> nn.Module:
        """The critic network."""
        return self.network

    def call_frozen(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """The network's output for the autoencoder's losses: its parameters get no gradient."""
        if self._is_lazy:
            self._finish(value, mask)
        return self._frozen(value, mask)

    def call_detached(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """The network's output on a detached input, for the network's own losses.

        Raises:
            ValueError: in training, an output that depends on none of the network's parameters.
        """
        if self._is_lazy:
            self._finish(value, mask)
        output = self._frozen.unfrozen(value.detach(), mask)
        if isinstance(output, Tensor) and not output.requires_grad and self.training and torch.is_grad_enabled():
            self._check_depends(output)
        return output

    def _check_depends(self, output: Tensor) -> None:
        # a loop that takes turns may have switched off all gradients of the critic
        if any(p.requires_grad for p in self.network.parameters()):
            raise ValueError(
                "critic: expected an output that depends on its parameters, got "
                f"{_checks.describe(output)} without a gradient; let it neither detach it nor run under no_grad"
            )

    def _finish(self, value: Tensor, mask: Tensor | None) -> None:
        """Set the shapes of a lazy network by a call without other effects."""
        if torch.compiler.is_compiling():
            raise RuntimeError(
                "critic: expected one whose shapes are set before it is compiled; call the regularizer once before "
                "compiling it (or give the default latent critic code_shape= or example=)"
            )
        with torch.inference_mode(False):  # so that parameters made during a validation can be trained
            quietly(self.network, torch.zeros_like(value, requires_grad=False), mask)
        self._frozen = Frozen(self.network)
        self._is_lazy = False

    @override
    def critic_networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    @override
    def after_step(self) -> None:
        self._stale.after_step(self.encoder, self.decoder, self.critic_weight)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_frozen"}

    @override
    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._frozen = Frozen(self.network)  # a copy has tensors of its own


def quietly(network: Network, value: Tensor, mask: Tensor | None) -> Tensor:
    """A network's output in evaluation mode, without gradients; its modes are restored."""
    modules = submodules_of(network)
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        with torch.no_grad():
            return call(network, value, mask)
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _as_critic(network: object, encoder: object, decoder: object) -> nn.Module:
    """``network``, checked to share no trained parameters with the encoder or decoder."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"critic: expected an nn.Module to train, got {_checks.describe(network)}")
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise TypeError("critic: expected plain modules, got some made by torch.jit, which cannot be frozen")
    _checks.check_unsharded("critic", network, "leave the critic unsharded and wrap it in DistributedDataParallel")
    trained = {id(p) for p in network.parameters() if p.requires_grad}
    if not trained:
        raise ValueError("critic: expected parameters to train, got a network that has none")
    inside = set(network.modules())
    for role, other in (("encoder", encoder), ("decoder", decoder)):
        # an object or a dict may hold all three networks, and a function call one of them: the first call tells
        behind = modules_of(other)
        is_within = bool(behind) and inside.issuperset(behind)
        if is_within or (isinstance(other, nn.Module) and any(id(p) in trained for p in other.parameters())):
            raise ValueError(
                f"critic: expected parameters of its own, got some of the {role}'s, which the critic's "
                "losses would train too; copy it first: fresh_copy(network)"
            )
    check_critic_is_synchronised(network, encoder, decoder)
    return network


def spectral_norm(network: nn.Module) -> nn.Module:
    """``network`` with every linear and convolutional layer normalised to spectral norm 1 (Miyato et al. 2018).

    It changes the network in place, so call it before wrapping the network for distributed training.

    Raises:
        TypeError: not a module.
        ValueError: a lazy layer, whose width is not set; a layer whose weight is no parameter, as with the older
            ``torch.nn.utils.weight_norm``.

    >>> critic = spectral_norm(fresh_copy(encoder))  # doctest: +SKIP
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network: expected an nn.Module, got {_checks.describe(network)}")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in network.parameters()):
        raise ValueError(
            "network: expected layers whose widths are set, got lazy ones; run one batch through it first"
        )
    for module in list(network.modules()):
        if isinstance(module, NORMALISED_LAYERS) and not _is_spectrally_normalised(module):
            if not parametrize.is_parametrized(module, "weight") and "weight" not in module._parameters:
                raise ValueError(
                    f"network: expected layers whose weight is a parameter, got a {type(module).__name__} whose weight "
                    "is computed before each call, as by torch.nn.utils.weight_norm or pruning"
                )
            parametrizations.spectral_norm(module)
    return network


def _is_spectrally_normalised(layer: nn.Module) -> bool:
    """Whether it is, by a parametrization or by torch's older hook."""
    chain: Any = layer.parametrizations if parametrize.is_parametrized(layer, "weight") else {"weight": ()}
    return hasattr(layer, "weight_u") or any(type(each).__name__ == "_SpectralNorm" for each in chain["weight"])
