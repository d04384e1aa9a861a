"""What every regularizer is, and how two of them add up."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator

CRITIC = "critic/"
_T = TypeVar("_T")


class Players(NamedTuple):
    """The objective of each player; each gives the other's parameters exactly no gradient."""

    autoencoder: Tensor
    critic: Tensor


class Regularizer(nn.Module, ABC):
    """An ``nn.Module`` that turns a batch into named losses, around an encoder and a decoder it never owns.

    ``parameters()`` and ``state_dict()`` hold what the regularizer itself trains (critics) and its buffers.

    Args:
        encoder, decoder: any modules or callables of one tensor.

    Attributes:
        unweighted: the last call's losses before weights and schedules, detached, for logging. Reading one
            with ``float`` waits for the device; keeping it does not.
    """

    name: ClassVar[str]
    """What the regularizer is called inside a sum."""

    def __init__(self, encoder: Network, decoder: Network) -> None:
        _checks.is_network("encoder", encoder)
        _checks.is_network("decoder", decoder)
        super().__init__()
        self._pair = (encoder, decoder)  # in a tuple, so that they are not this module's parameters
        self.unweighted: dict[str, Tensor] = {}

    @property
    def encoder(self) -> Network:
        """The user's encoder."""
        return self._pair[0]

    @property
    def decoder(self) -> Network:
        """The user's decoder."""
        return self._pair[1]

    @abstractmethod
    def terms(self, batch: Batch) -> dict[str, Term]:
        """The named terms of a batch; what they share they ask of the batch."""

    def lends(self) -> Interpolator | None:
        """The interpolator that others in a sum may share, if there is one."""
        return None

    def check_batch(self, size: int, lent: Interpolator) -> None:
        """Raise ``ValueError`` if a batch of ``size`` is too small, ``lent`` standing in for an interpolator."""

    def forward(self, x: Tensor, *, z: Tensor | None = None, x_hat: Tensor | None = None) -> dict[str, Tensor]:
        """The weighted losses of a batch, 0-dim each; their sum is the objective of all players at once.

        Args:
            x: a floating point batch ``[B, ...]``.
            z: ``encoder(x)``, if at hand; computed when not given.
            x_hat: ``decoder(z)``, if at hand; computed when not given.

        Raises:
            TypeError: ``x``, a code or an image is not a floating point tensor.
            ValueError: a shape does not fit; the message names whose.
        """
        batch = Batch(x, self.encoder, self.decoder, z=z, x_hat=x_hat, interpolator=self.lends())
        self.check_batch(len(x), batch.interpolator)  # before a network is called and its statistics move
        terms = self.terms(batch)
        self.unweighted = {name: term.value.detach() for name, term in terms.items()}
        losses = {name: term.value * term.weight for name, term in terms.items()}
        if self.training and torch.is_grad_enabled():
            self.advance()
        return losses

    def advance(self) -> None:
        """Count one training step, for regularizers with a schedule."""

    @staticmethod
    def split(losses: dict[str, Tensor]) -> Players:
        """The losses summed for each player, for users with two optimizers."""
        critic = [loss for name, loss in losses.items() if name.startswith(CRITIC)]
        autoencoder = [loss for name, loss in losses.items() if not name.startswith(CRITIC)]
        zero = next(iter(losses.values())).new_zeros(())
        return Players(sum(autoencoder, zero), sum(critic, zero))

    def check_optimizers(self, *optimizers: torch.optim.Optimizer) -> None:
        """Raise ``ValueError`` unless the optimizers together hold every parameter the regularizer trains."""
        held = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
        missing = [name for name, p in self.named_parameters() if p.requires_grad and id(p) not in held]
        if missing:
            raise ValueError(
                f"optimizers: expected every parameter of {type(self).__name__}, but {len(missing)} are in none "
                f"of them and would never train, such as {missing[0]!r}; add *reg.parameters()"
            )

    def __add__(self, other: object) -> "Regularizer":
        if not isinstance(other, (Regularizer, Interpolator)):
            return NotImplemented
        return Sum([*_flat(self), *_flat(other)])

    def __radd__(self, other: object) -> "Regularizer":
        if isinstance(other, int) and other == 0:  # the start of sum([...])
            return self
        if not isinstance(other, Interpolator):
            return NotImplemented
        return Sum([other, *_flat(self)])


class Sum(Regularizer):
    """Several regularizers of the same pair of networks, sharing one forward pass.

    ``reg_a + reg_b`` and ``sum([reg_a, reg_b])`` make one. Losses keep their names; where two parts use the same
    name the later one gets a number: "interpolation", "interpolation_2".

    Args:
        parts: regularizers, and at most one ``Interpolator`` to lend to the parts that have none. Without one,
            the first part that has an interpolator lends its own.

    Raises:
        TypeError: a part is neither.
        ValueError: no parts, two interpolators, or parts that wrap different networks.
    """

    name = "sum"

    def __init__(self, parts: Iterable["Regularizer | Interpolator"]) -> None:
        parts = list(parts)
        for part in parts:
            if not isinstance(part, (Regularizer, Interpolator)):
                raise TypeError(f"parts: expected regularizers, got {_checks.describe(part)}")
        regularizers = [part for part in parts if isinstance(part, Regularizer)]
        lenders = [part for part in parts if isinstance(part, Interpolator)]
        if not regularizers or len(lenders) > 1:
            raise ValueError(
                "parts: expected at least one regularizer and at most one Interpolator, "
                f"got {len(regularizers)} and {len(lenders)}"
            )
        encoder, decoder = regularizers[0].encoder, regularizers[0].decoder
        pairs: list[tuple[object, object]] = [(part.encoder, part.decoder) for part in regularizers]
        pairs += [part.pair for part in lenders if part.pair[0] is not None]
        for pair in pairs:
            for role, own, other in zip(("encoder", "decoder"), (encoder, decoder), pair, strict=True):
                if not _same(own, other):
                    raise ValueError(
                        f"parts: expected all to wrap the same {role}, got {_checks.describe(own)} "
                        f"and another, {_checks.describe(other)}"
                    )
        super().__init__(encoder, decoder)
        self.parts = nn.ModuleDict(dict(_numbered((part.name, part) for part in regularizers)))
        self.lender = next(iter(lenders), None)

    @override
    def lends(self) -> Interpolator | None:
        lent = (part.lends() for part in self.regularizers())
        return self.lender or next((interpolator for interpolator in lent if interpolator is not None), None)

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        for part in self.regularizers():
            part.check_batch(size, lent)

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        return dict(_numbered(pair for part in self.regularizers() for pair in part.terms(batch).items()))

    @override
    def advance(self) -> None:
        for part in self.regularizers():
            part.advance()

    def regularizers(self) -> Iterator[Regularizer]:
        """The parts, in order."""
        for part in self.parts.values():
            assert isinstance(part, Regularizer)  # for the type checker: ModuleDict forgets it
            yield part


def _flat(part: "Regularizer | Interpolator") -> list["Regularizer | Interpolator"]:
    """The parts of a plain sum; a recipe stays whole, so that its attributes stay at hand."""
    if type(part) is not Sum:
        return [part]
    return [*([part.lender] if part.lender else []), *part.regularizers()]


def _same(a: object, b: object) -> bool:
    """Identity, but equality for bound methods, which Python makes anew at each access."""
    return a is b or (getattr(a, "__self__", None) is not None and a == b)


def _numbered(pairs: Iterable[tuple[str, _T]]) -> Iterator[tuple[str, _T]]:
    """The same pairs, a number added to each name that came before."""
    taken: set[str] = set()
    for name, value in pairs:
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        yield unique, value
