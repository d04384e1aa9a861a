"""The checks after a call, outside compiled code: some are made once, the others ever more rarely."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from interpreg.batch import Batch
from interpreg.regularizers.detached import DetachedCheck
from interpreg.regularizers.looks import Looks
from interpreg.regularizers.players import PlayersCheck
from interpreg.regularizers.processes import warn_unsynchronised

if TYPE_CHECKING:
    from interpreg.regularizers.base import Regularizer


class CallChecks:
    """The checks of the outermost regularizer, which is the one that is called."""

    def __init__(self) -> None:
        self.players = PlayersCheck()
        self.detached = DetachedCheck()
        self.looks = Looks()

    def after(
        self,
        reg: "Regularizer",
        batch: Batch,
        losses: dict[str, Tensor],
        *,
        z: Tensor | None,
        x_hat: Tensor | None,
    ) -> None:
        """Check a call, whose codes ``z`` and reconstructions ``x_hat`` may have been the caller's.

        Raises:
            ValueError: terms of both players train one parameter.
            TypeError: a critic was given to ``replicate`` after the regularizer was made.
        """
        if reg.training and torch.is_grad_enabled():
            if not reg._has_trained:
                warn_unsynchronised(reg.encoder, reg.decoder, reg, _critics(reg), z, x_hat)
            if self.players.is_due(losses):
                self.players(losses, _critics(reg), reg.encoder, reg.decoder, batch.samples)
            self.detached(batch)
        else:
            reg._check_copy()
        self.looks.after(reg, batch, losses)


def _critics(reg: "Regularizer") -> list[nn.Module]:
    return [network for part in (reg, *reg._below) for network in part.critic_networks()]
