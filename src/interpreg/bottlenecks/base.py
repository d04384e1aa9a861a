"""What a bottleneck is: a module around an encoder that does something to its codes and notes what it did."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._types import Network

Kind = TypeVar("Kind", bound="Bottleneck")


class Bottleneck(nn.Module):
    """A module around an encoder: ``bottleneck(x)`` is the code, and a note for the term that wants to know more.

    It is an encoder like any other, so every regularizer runs on it, and its parameters are the encoder's. What it
    notes (a posterior, a commitment loss) lies there until the batch takes it.

    Args:
        network: the encoder inside; any module or callable.

    Attributes:
        passthrough: if True the bottleneck leaves the code as it is: no noise, no sampling, no quantizing. So it is in
            the fresh copy that a critic is made of.
    """

    def __init__(self, network: Network) -> None:
        _checks.check_network("network", network)
        super().__init__()
        self.network = network
        self.passthrough = False
        self._slot = _Slot()

    def encoded(self, x: Tensor, mask: Tensor | None = None) -> Any:
        """What the encoder inside says of ``x``."""
        return self.network(x) if mask is None else self.network(x, mask)

    def keep_aux(self, z: Tensor, note: Any) -> None:
        """Keep ``note`` about the codes ``z`` for the batch that is being encoded."""
        self._slot.z, self._slot.aux = z, note

    def take_aux(self, z: Tensor | None = None) -> Any:
        """The note of the latest call, which is then forgotten.

        Args:
            z: codes from elsewhere, which must be those that the latest call made.

        Raises:
            ValueError: they are not, or there was no call since the last note was taken.
        """
        slot = self._slot
        if slot.z is None or (z is not None and not _same_memory(slot.z, z)):
            raise ValueError(
                f"z: expected the codes of the latest call of the encoder's {type(self).__name__}, got others; "
                "encode and call the regularizer in turn, or leave z to it"
            )
        note = slot.aux
        slot.z = slot.aux = None
        return note

    def make_passthrough(self) -> None:
        """Become bare: called on the copy that a critic is made of."""
        self.passthrough = True


class _Slot:
    """Where a note lies. A copy of a module begins with an empty one: notes have histories, which are not copied."""

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
        ValueError: there are several, or it is bare.
    """
    found: list[Kind] = bottlenecks_in(encoder, kind)
    if len(found) == 1 and not found[0].passthrough:
        return found[0]
    name = kind.__name__
    if found:
        got = "a bare one, as fresh_copy makes; set its bare=False" if len(found) == 1 else f"{len(found)}"
        raise ValueError(f"encoder: expected exactly one {name} inside, got {got}")
    raise TypeError(
        f"encoder: expected a module with a {name} inside, got {_checks.describe(encoder)} without; wrap it once, "
        f"encoder = {name}(encoder, ...), and hand that to every term"
    )


def _same_memory(made: Tensor, given: Tensor) -> bool:
    """Whether two tensors are the same codes, or views of them, as far as can be told without looking at values."""
    plain = type(made) is Tensor and type(given) is Tensor  # not fake, not functional
    if made is given or torch.compiler.is_compiling() or not plain:
        return True
    return made.untyped_storage().data_ptr() == given.untyped_storage().data_ptr()
