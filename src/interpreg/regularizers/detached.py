"""A warning where codes or reconstructions have no gradient though their networks train."""

import torch
from torch import Tensor

from interpreg._later import is_look
from interpreg._networks import parameters_of
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.batch import Batch
from interpreg.mmd.dispatch import is_transformed


class DetachedCheck:
    """Warns once where a trained encoder's codes, or a trained decoder's reconstructions, are detached.

    Networks are searched for trained parameters at the 1st, 2nd, 4th, 8th ... call with detached values.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._is_reported = False

    def __call__(self, batch: Batch) -> None:
        """Check the codes and reconstructions that the batch has."""
        z, x_hat = batch.known_z, batch.known_output
        is_attached = (z is None or z.requires_grad) and getattr(x_hat, "requires_grad", True)
        if is_attached or self._is_reported or torch.compiler.is_compiling() or is_transformed():
            return
        self._calls += 1
        if not is_look(self._calls):
            return
        if z is not None and not z.requires_grad and _trains(batch.encoder, batch.decoder):
            self._is_reported = True
            _warn("z", "codes", "encoder", "reg(x), or reg(x, z=encoder(x))")
        elif (
            isinstance(x_hat, Tensor)
            and not x_hat.requires_grad
            and (_trains(batch.decoder, batch.encoder) or (z is not None and z.requires_grad))
        ):
            self._is_reported = True
            _warn("x_hat", "reconstructions", "decoder", "reg(x, z=z), or reg(x, z=z, x_hat=decoder(z))")


def _trains(network: Network, other: Network) -> bool:
    """Whether a network has trained parameters of its own; of an autoencoder with two methods, only trained ones."""
    parameters = parameters_of(network)
    others = {id(p) for p in parameters_of(other)}
    own = [p for p in parameters if id(p) not in others]
    return any(p.requires_grad for p in own) or (bool(parameters) and all(p.requires_grad for p in parameters))


def _warn(name: str, what: str, role: str, line: str) -> None:
    warn(
        f"{name}: expected {what} with a gradient, because the {role} has parameters that train, got some without, as "
        f"made under no_grad or detached, so that terms do not train it; give {line} with gradients enabled, or where "
        f"the {role} is frozen on purpose, {role}.requires_grad_(False)"
    )
