"""The base of bottlenecks: modules around an encoder that change its codes and keep an auxiliary output."""

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._networks import submodules_of
from interpreg._numerics import has_memory
from interpreg._padding import check_takes_mask
from interpreg._references import Configured
from interpreg._types import Network

Kind = TypeVar("Kind", bound="Bottleneck")


class Bottleneck(Configured, nn.Module):
    """A module around an encoder: ``bottleneck(x)`` is the code; an auxiliary output is kept for a term.

    It is an encoder like any other, so every regularizer runs on it, and its parameters are the encoder's. Its
    auxiliary output (a posterior, a commitment loss) is kept until the batch takes it. An encoder may call it several
    times for one batch, as for chunks or frames; ``torch.nn.DataParallel`` is refused where there is an output to keep.

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
        """Keep the auxiliary output of the codes ``z`` for the batch that is being encoded.

        Raises:
            TypeError: this is a replica of ``torch.nn.DataParallel``.
        """
        slot = self._slot
        if torch.compiler.is_compiling():
            made = Call(z, aux, torch.is_grad_enabled(), UNNUMBERED)
        elif "_is_replica" in self.__dict__:
            raise TypeError(
                f"encoder: expected no DataParallel around a {type(self).__name__}, whose replicas lose the auxiliary "
                "output; use torch.nn.parallel.DistributedDataParallel, which torch recommends too"
            )
        else:
            made = Call(z, aux, torch.is_grad_enabled(), next(_NUMBERS))
            if z.grad_fn is not None:
                metadata: Any = z.grad_fn.metadata  # by which codes that are computed from z are recognised
                metadata[id(slot)] = made.number
        slot.calls = [*slot.calls, made] if slot.is_collecting else [made]

    def take_aux(self, z: Tensor | None = None) -> Any:
        """The auxiliary output of the latest call, which is then dropped.

        Args:
            z: codes from elsewhere, which must be those that the latest call made, or be computed from these alone.

        Raises:
            ValueError: they are not, or there was no call since it was last taken; or the call had no gradients, though
                the codes have one.
        """
        latest = self._slot.calls[-1:]
        if not latest or (z is not None and not self._are_made_by(latest[0], z)):
            raise ValueError(
                f"z: expected the codes of the latest call of the encoder's {type(self).__name__}, got others; "
                "encode and call the regularizer in turn, or leave z to it"
            )
        self.drop_aux()
        return latest[0].aux if z is None else self._joined(latest, z)

    def collect_aux(self) -> None:
        """Keep the auxiliary outputs of all calls from now on, until they are taken or dropped."""
        self._slot.calls, self._slot.is_collecting = [], True

    def collected_aux(self, z: Tensor) -> Any:
        """The auxiliary outputs of all calls since :meth:`collect_aux`, joined: that of the codes ``z``.

        Raises:
            ValueError: the calls did not make these codes: there was none, or they made more or fewer; or one had no
                gradients, though the codes have one.
        """
        calls = self._slot.calls
        self.drop_aux()
        return self._joined(calls, z)

    def join_aux(self, parts: Sequence[Any]) -> Any:
        """The auxiliary output of a batch whose parts were encoded one after the other.

        Raises:
            ValueError: the bottleneck cannot join them.
        """
        raise ValueError(
            f"encoder: expected one call of its {type(self).__name__} a batch, got {len(parts)}; define join_aux there"
        )

    def drop_aux(self) -> None:
        """Drop the auxiliary outputs of earlier calls, with their graphs."""
        self._slot.calls, self._slot.is_collecting = [], False

    def make_passthrough(self) -> None:
        """Pass codes through from now on; called on the copy that becomes a critic."""
        self.passthrough = True

    def _joined(self, calls: "Sequence[Call]", z: Tensor) -> Any:
        name = type(self).__name__
        if not calls:
            raise ValueError(
                f"encoder: expected it to call its {name} for each batch, got no call; codes that are not made "
                "there have no auxiliary output"
            )
        rows, elements = sum(len(call.z) for call in calls), sum(call.z.numel() for call in calls)
        if rows != len(z) and elements != z.numel():
            raise ValueError(
                f"encoder: expected its {name} to make the codes of {len(z)} samples, got {len(calls)} calls with "
                f"{rows} samples in all; call it once for each sample, and leave z to the regularizer"
            )
        if z.requires_grad and not all(call.has_gradients for call in calls):
            raise ValueError(
                f"encoder: expected its {name} to run with gradients enabled, as its codes have one, got a call "
                "without, as under checkpoint(use_reentrant=True); use use_reentrant=False, or checkpoint the network "
                f"inside the {name}"
            )
        return calls[0].aux if len(calls) == 1 else self.join_aux([call.aux for call in calls])

    def _are_made_by(self, call: "Call", z: Tensor) -> bool:
        """Whether codes are those of a call, as they are or computed from them and from those of no other call."""
        return _same_memory(call.z, z) or _numbers_behind(z, call, id(self._slot)) == {call.number}


class Call(NamedTuple):
    """One call of a bottleneck."""

    z: Tensor
    aux: Any
    has_gradients: bool
    """Whether gradients were enabled."""
    number: int


UNNUMBERED = -1
"""The number of all calls in compiled code."""
_NUMBERS = count()


class _Slot:
    """The latest call, or all since it collects; empty in copies: torch copies no tensor with a graph."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.is_collecting = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Slot":
        return _Slot()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Slot, ()


def bottlenecks_in(network: object, kind: type[Bottleneck]) -> list[Any]:
    """The bottlenecks of a kind inside an encoder, whatever wraps it."""
    return [m for m in submodules_of(network) if isinstance(m, kind)]


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
    """Whether two tensors share memory; values are not read. True where there is no memory to look at."""
    if made is given or torch.compiler.is_compiling():
        return True
    if not (has_memory(made) and has_memory(given)):
        return True
    return made.untyped_storage().data_ptr() == given.untyped_storage().data_ptr()


def _numbers_behind(z: Tensor, call: Call, slot: int) -> set[int]:
    """The numbers of a bottleneck's calls that codes were computed from, by their graph."""
    numbers: set[int] = set()
    seen: set[tuple[Any, int]] = set()
    edges: list[tuple[Any, int]] = [(z.grad_fn, z.output_nr)]
    while edges:
        node, index = edge = edges.pop()
        if node is None or edge in seen:
            continue
        seen.add(edge)
        is_output = node is call.z.grad_fn and index == call.z.output_nr  # of compiled code, which has no numbers
        number = call.number if is_output else node.metadata.get(slot)
        if number is None:
            edges += node.next_functions
        else:
            numbers.add(number)
    return numbers
