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
from interpreg.bottlenecks.base import Bottleneck
from interpreg.interpolator import Interpolator
from interpreg.regularizers.weights import resolved, without_ratio

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
        weights: the last call's weights, schedules and adaptive ratios included; numbers or detached tensors.
    """

    name: ClassVar[str]
    """What the regularizer is called inside a sum."""

    def __init__(self, encoder: Network, decoder: Network) -> None:
        _checks.check_network("encoder", encoder)
        _checks.check_network("decoder", decoder)
        super().__init__()
        self._pair = (encoder, decoder)  # in a tuple, so that they are not this module's parameters
        self.unweighted: dict[str, Tensor] = {}
        self.weights: dict[str, float | Tensor] = {}

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

    def announce(self, batch: Batch) -> None:
        """Tell the batch what :meth:`terms` will ask for, where it can save work by knowing (``batch.expect``)."""

    def reads(self) -> tuple[Bottleneck, ...]:
        """The bottlenecks inside the encoder whose notes the terms want."""
        return ()

    def check_batch(self, size: int, lent: Interpolator) -> None:
        """Raise ``ValueError`` if a batch of ``size`` is too small, ``lent`` standing in for an interpolator."""

    def forward(
        self, x: Tensor, *, z: Tensor | None = None, x_hat: Tensor | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The weighted losses of a batch, 0-dim each; their sum is the objective of all players at once.

        Args:
            x: a floating point batch ``[B, ...]``.
            z: ``encoder(x)``, if at hand; computed when not given.
            x_hat: ``decoder(z)``, if at hand; computed when not given.
            mask: of padded sequences, boolean ``[B, T]``, True where valid. With one every network is called as
                ``network(value, mask)``, a mixed code's mask being valid where either of its two codes is; and
                wherever the second axis is T long, means are taken over valid positions alone.

        Raises:
            TypeError: ``x``, a code or an image is not a floating point tensor; a mask is not boolean.
            ValueError: a shape does not fit; the message names whose.
        """
        batch = Batch(
            x, self.encoder, self.decoder, z=z, x_hat=x_hat, mask=mask, interpolator=self.lends(),
            bottlenecks=self.reads(),
        )  # fmt: skip
        self.check_batch(len(x), batch.interpolator)  # before a network is called and its statistics move
        self.announce(batch)
        terms = self.terms(batch)
        weights = {name: resolved(term, terms) for name, term in terms.items()}
        self.unweighted = {name: term.value.detach() for name, term in terms.items()}
        self.weights = {name: w.detach() if isinstance(w, Tensor) else w for name, w in weights.items()}
        losses = {name: term.value * weights[name] for name, term in terms.items()}
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
        autoencoder_every: the autoencoder's losses have gradients at every so-many-th training step only, the last
            of each round; at the others its parameters get none at all (``None``, with gradients cleared as
            ``zero_grad`` does), which optimizers leave alone. Compiled code has one graph for each step of a round.

    Raises:
        TypeError: a part is neither.
        ValueError: no parts, two interpolators, or parts that wrap different networks.
    """

    name = "sum"

    turn: Tensor

    def __init__(self, parts: Iterable["Regularizer | Interpolator"], *, autoencoder_every: int = 1) -> None:
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
                        f"parts: expected all to wrap the same {role}, got {_checks.describe(own)} and another, "
                        f"{_checks.describe(other)}; make them all with one {role}, wrapped once if it is wrapped"
                    )
        super().__init__(encoder, decoder)
        self.parts = nn.ModuleDict(dict(_numbered((part.name, part) for part in regularizers)))
        self.lender = next(iter(lenders), None)
        self.autoencoder_every = _checks.as_count("autoencoder_every", autoencoder_every, low=1)
        if autoencoder_every > 1:
            self.register_buffer("turn", torch.zeros((), dtype=torch.long))
            self.register_load_state_dict_post_hook(_resume)  # type: ignore[no-untyped-call]
        self._turn = (
            0  # the step within a round, as a number: what has gradients must be known before a graph is made
        )

    @override
    def lends(self) -> Interpolator | None:
        lent = (part.lends() for part in self.regularizers())
        return self.lender or next((interpolator for interpolator in lent if interpolator is not None), None)

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        for part in self.regularizers():
            part.check_batch(size, lent)

    @override
    def announce(self, batch: Batch) -> None:
        for part in self.regularizers():
            part.announce(batch)

    @override
    def reads(self) -> tuple[Bottleneck, ...]:
        return tuple(bottleneck for part in self.regularizers() for bottleneck in part.reads())

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        terms = dict(_numbered(pair for part in self.regularizers() for pair in part.terms(batch).items()))
        if not self.training or self._turn == self.autoencoder_every - 1:
            return terms
        return {
            name: term if name.startswith(CRITIC) else Term(term.value.detach(), without_ratio(term.weight))
            for name, term in terms.items()
        }

    @override
    def advance(self) -> None:
        for part in self.regularizers():
            part.advance()
        if self.autoencoder_every > 1:
            self._turn = (self._turn + 1) % self.autoencoder_every
            self.turn.add_(1).remainder_(self.autoencoder_every)

    def regularizers(self) -> Iterator[Regularizer]:
        """The parts, in order."""
        for part in self.parts.values():
            assert isinstance(part, Regularizer)  # for the type checker: ModuleDict forgets it
            yield part


def as_interpolator(interpolator: object) -> Interpolator | None:
    """The interpolator, or none; ``TypeError`` for anything else."""
    if interpolator is not None and not isinstance(interpolator, Interpolator):
        raise TypeError(f"interpolator: expected an Interpolator, got {_checks.describe(interpolator)}")
    return interpolator


def _resume(module: nn.Module, _: object) -> None:
    """Go on within the round where the state was saved; the one look at the host is at loading."""
    assert isinstance(module, Sum)
    module._turn = int(module.turn)


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
