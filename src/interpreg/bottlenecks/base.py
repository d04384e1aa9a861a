"""The base of bottlenecks: modules around an encoder that change its codes and keep an auxiliary output."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._padding import check_takes_mask
from interpreg._types import Network

Kind = TypeVar("Kind", bound="Bottleneck")


class Bottleneck(nn.Module):
    """A module around an encoder: ``bottleneck(x)`` is the code; an auxiliary output is kept for a term.

    It is an encoder like any other, so every regularizer runs on it, and its parameters are the encoder's. Its
    auxiliary output (a posterior, a commitment loss) is kept until the batch takes it.

    Args:
        network: the encoder inside; any module or callable.

    Attributes:
        passthrough: if True the code is passed through: no noise, no sampling, no quantizing; as in the fresh copy that
            becomes a critic.
    """

    def __init__(self, network: Network) -> None:
        _checks.check_network("network", network)
        super().__init__()
        self.network = network
        self.passthrough = False
        self._slot = _Slot()

    def encoded(self, x: Tensor, mask: Tensor | None = None) -> Any:
        """The output of the encoder inside."""
        if mask is None:
            return self.network(x)
        check_takes_mask("encoder", self.network)
        return self.network(x, mask)

    def keep_aux(self, z: Tensor, aux: Any) -> None:
        """Keep the auxiliary output of the codes ``z`` for the batch that is being encoded."""
        self._slot.z, self._slot.aux = z, aux

    def take_aux(self, z: Tensor | None = None) -> Any:
        """The auxiliary output of the latest call, which is then dropped.

        Args:
            z: codes from elsewhere, which must be those that the latest call made.

        Raises:
            ValueError: they are not, or there was no call since it was last taken.
        """
        slot = self._slot
        if slot.z is None or (z is not None and not _same_memory(slot.z, z)):
            raise ValueError(
                f"z: expected the codes of the latest call of the encoder's {type(self).__name__}, got others; "
                "encode and call the regularizer in turn, or leave z to it"
            )
        aux = slot.aux
        self.drop_aux()
        return aux

    def drop_aux(self) -> None:
        """Drop the auxiliary output of the latest call, with its graph."""
        self._slot.z = self._slot.aux = None

    def make_passthrough(self) -> None:
        """Pass codes through from now on; called on the copy that becomes a critic."""
        self.passthrough = True


class _Slot:
    """The codes and auxiliary output of the latest call; empty in copies: torch copies no tensor with a graph."""

    def __init__(self) -> None:
        self.z: Tensor | None = None
        self.aux: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Slot":
        return _Slot()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Slot, ()


def bottlenecks_in(network: object, kind: type[Bottleneck]) -> list[Any]:
    """The bottlenecks of a kind inside an encoder, whatever wraps it."""
    return [m for m in network.modules() if isinstance(m, kind)] if isinstance(network, nn.Module) else []


def the_bottleneck(encoder: object, kind: type[Kind]) -> Kind:
    """The one bottleneck of a kind inside an encoder.

    Raises:
        TypeError: there is none.
        ValueError: there are several, or it passes codes through.
    """
    candidates: list[Kind] = bottlenecks_in(encoder, kind)
    if len(candidates) == 1 and not candidates[0].passthrough:
        return candidates[0]
    name = kind.__name__
    if candidates:
        count = len(candidates)
        got = "one that passes codes through, as in fresh_copy; set its passthrough=False" if count == 1 else count
        raise ValueError(f"encoder: expected exactly one {name} inside, got {got}")
    raise TypeError(
        f"encoder: expected a module with a {name} inside, got {_checks.describe(encoder)} without; wrap it once, "
        f"encoder = {name}(encoder, ...), and hand that to every term"
    )


def _same_memory(made: Tensor, given: Tensor) -> bool:
    """Whether two tensors share memory; values are not read."""
    plain = type(made) is Tensor and type(given) is Tensor  # not fake, not functional
    if made is given or torch.compiler.is_compiling() or not plain:
        return True
    return made.untyped_storage().data_ptr() == given.untyped_storage().data_ptr()
