"""A warning where nobody updates the critic."""

import gc

import torch
from torch import Tensor, nn

from interpreg._networks import is_sharded, parameters_of
from interpreg._warnings import warn

# training calls after which a critic that is not updated is reported
PATIENCE = 100
ARRIVAL = 8  # calls until the comparison has arrived from the device
_ADVICE = "add *reg.parameters() to an optimizer (reg.check_optimizers(optimizer) checks it at once)"


class StaleCriticCheck:
    """A warning, once, where a critic's losses have gradients, the autoencoder changes and the critic does not.

    After ``PATIENCE`` training calls, and at twice as many, and so on until the critic has changed. So calls without a
    backward, accumulated gradients, skipped steps and a warm-up from learning rate 0, in which nobody changes, are no
    reason; nor is an optimizer that holds the critic at learning rate 0.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.count = 0
        self.due = PATIENCE
        self.is_settled = False
        self.before: tuple[list[Tensor], list[Tensor]] | None = None
        self.changed: Tensor | None = None

    def after_step(self, encoder: object, decoder: object, critic_weight: object) -> None:
        """Count a training call in which the critic's losses were computed; compare and warn when it is time."""
        if self.is_settled or (not isinstance(critic_weight, Tensor) and critic_weight == 0):
            return
        self.count += 1
        if self.before is None:
            self.before = self._sums(encoder, decoder)
        elif self.count == self.due:
            self.changed = _compared(self.before, self._sums(encoder, decoder))
        elif self.count == self.due + ARRIVAL and self.changed is not None:
            self.due *= 2
            critic, autoencoder = self.changed.tolist()
            is_known = bool(self.before[1])
            self.is_settled = critic or (
                (autoencoder or not is_known) and self._is_reported(critic_weight, is_known)
            )
            if self.is_settled:
                self.before = self.changed = None

    def _sums(self, encoder: object, decoder: object) -> tuple[list[Tensor], list[Tensor]]:
        """A number for each parameter of the critic and of the autoencoder, without waiting for the device.

        Those without a gradient too, because a loop may switch the players off in turn.
        """
        own = list(self.network.parameters())
        taken = set(map(id, own))
        pair = [network for network in (encoder, decoder) if not is_sharded(network)]
        others = {id(p): p for network in pair for p in parameters_of(network)}
        return [_sum(p) for p in own], [_sum(p) for key, p in others.items() if key not in taken]

    def _is_reported(self, critic_weight: object, is_autoencoder_known: bool) -> bool:
        """Warn unless somebody keeps the critic as it is on purpose; whether it was done."""
        if isinstance(critic_weight, Tensor) and critic_weight == 0:
            return False
        if not any(p.requires_grad for p in self.network.parameters()):
            return False
        optimizers = [each for each in gc.get_objects() if issubclass(type(each), torch.optim.Optimizer)]
        keys = {id(p) for p in self.network.parameters()}
        rates = [g["lr"] for o in optimizers for g in o.param_groups if any(id(p) in keys for p in g["params"])]
        if any(rate == 0 for rate in rates) or (not is_autoencoder_known and (rates or not optimizers)):
            return False
        advice = "an optimizer holds it: call that optimizer's step()" if rates else _ADVICE
        warn(
            f"the critic has had losses in {self.count} training calls and is not updated, while the autoencoder is: "
            f"{advice}, or set its critic_weight to 0"
        )
        return True


def _sum(parameter: Tensor) -> Tensor:
    """A number that tells whether the parameter has changed, rounded less than its updates."""
    values = torch.view_as_real(parameter.detach()) if parameter.is_complex() else parameter.detach()
    return values.sum(dtype=torch.float32 if values.device.type == "mps" else torch.float64)


def _compared(before: tuple[list[Tensor], list[Tensor]], now: tuple[list[Tensor], list[Tensor]]) -> Tensor:
    """Whether any sum has changed, for each player, on its way to the host."""
    device = now[0][0].device
    flags = []
    for old, new in zip(before, now, strict=True):
        pairs = [(a, b) for a, b in zip(old, new, strict=False) if a.device == b.device]
        flags.append(
            torch.stack([torch.zeros((), device=device) != 0, *((a != b).to(device) for a, b in pairs)]).any()
        )
    return torch.stack(flags).to("cpu", non_blocking=True)
