"""What is looked at after a call, outside compiled code: most of it once, the rest ever more rarely."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from interpreg.batch import Batch
from interpreg.regularizers.detached import Occasions, warn_of_detached
from interpreg.regularizers.looks import Looks
from interpreg.regularizers.players import PlayersCheck
from interpreg.regularizers.processes import warn_unsynchronised

if TYPE_CHECKING:
    from interpreg.regularizers.base import Regularizer


class CallChecks:
    """The checks of the outermost regularizer, which is the one that is called."""

    def __init__(self) -> None:
        self.players = PlayersCheck()
        self.detached = Occasions()
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
        """
        if reg.training and torch.is_grad_enabled():
            if not reg._has_trained:
                warn_unsynchronised(reg.encoder, reg.decoder, reg, z, x_hat)
            if self.players.is_due(losses):
                critics = [network for part in (reg, *reg._below) for network in part.critic_networks()]
                self.players(losses, critics, reg.encoder, reg.decoder, batch.samples)
            warn_of_detached(batch, self.detached)
        else:
            reg._check_copy()
        self.looks.after(reg, batch, losses)
