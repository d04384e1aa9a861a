"""The base of regularizers with a critic network, which is frozen in the autoencoder's terms."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network
from interpreg.batch import call
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.frozen import Frozen
from interpreg.regularizers.weights import Weight, WeightLike

# training calls with gradients after which a critic that is not updated is reported
PATIENCE = 100
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
        critic: the network that this module trains. It cannot be replaced afterwards.
        weight: of the autoencoder's terms: a number of at least 0, a 0-dim tensor, a :class:`Ramp` or an
            :class:`Adaptive` ratio of gradients.
        critic_weight: of the critic's terms: a number, a tensor or a :class:`Ramp`.

    Attributes:
        weight, critic_weight: may be assigned at any time.
        network: the critic network; :attr:`critic` is the same.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range; a network that shares parameters with the encoder
            or decoder.
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
        return self._frozen(value, mask)

    def call_detached(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """The network's output on a detached input, for the network's own losses."""
        return call(self.network, value.detach(), mask, "critic")

    @override
    def after_step(self) -> None:
        self._stale.after_step()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_frozen"}

    @override
    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._frozen = Frozen(self.network)  # a copy has tensors of its own


class StaleCriticCheck:
    """A warning, once, where a critic has had gradients for ``PATIENCE`` training calls and no optimizer updates it.

    The count starts again where gradients are cleared, so that in most loops ``grad`` alone is read. Where they are
    zeroed in place, the values of the parameters half-way and at the end are compared, once.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.count = 0
        self.sums: list[Tensor] = []
        self.parameters: list[nn.Parameter] | None = None

    def after_step(self) -> None:
        """Count a training call, and warn after ``PATIENCE`` of them."""
        if self.count > PATIENCE:
            return
        if self.parameters is None:  # listed once, because it takes longer than small layers do
            self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        for parameter in self.parameters:  # usually the first decides
            if parameter.grad is not None:
                self.count += 1
                break
        else:
            self.count = 0
        if self.count == PATIENCE // 2:
            self.sums = [p.detach().sum() for p in self.parameters]
        elif self.count > PATIENCE and all(
            torch.equal(p.detach().sum(), before) for p, before in zip(self.parameters, self.sums, strict=True)
        ):
            warnings.warn(
                f"the critic has had gradients for {PATIENCE} training calls and is not updated: "
                "add *reg.parameters() to an optimizer (reg.check_optimizers(optimizer) checks it at once)",
                stacklevel=4,
            )


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
    for role, other in (("encoder", encoder), ("decoder", decoder)):
        if isinstance(other, nn.Module) and any(id(p) in trained for p in other.parameters()):
            raise ValueError(
                f"critic: expected parameters of its own, got some of the {role}'s, which the critic's "
                "losses would train too; copy it first: fresh_copy(network)"
            )
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
