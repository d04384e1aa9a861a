"""Several regularizers that share one forward pass."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._references import FixedModules, fixed
from interpreg._types import Term
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.needs import Need, Plan
from interpreg.regularizers.base import Regularizer
from interpreg.regularizers.evaluation import without_gradient
from interpreg.regularizers.plan import as_needs, plan_of
from interpreg.regularizers.players import CRITIC
from interpreg.regularizers.processes import check_graph_may_change

OWN = frozenset({"parts", "interpolator", "autoencoder_every", "encoder", "decoder"})
CRITICS = frozenset({"critic", "game", "network"})


class Sum(Regularizer):
    """Several regularizers of the same pair of networks, sharing one forward pass.

    ``reg_a + reg_b`` and ``sum([reg_a, reg_b])`` make one; its losses are the parts' terms times their weights. Losses
    keep their names; where two parts use the same name the later one gets a number: "interpolation",
    "interpolation_2".

    Args:
        parts: regularizers, and at most one ``Interpolator``, which mixes for all parts that have none of their own.
            Without one, critics mix ACAI's way, and terms that only measure interpolants (:class:`CycleConsistency`,
            :class:`AlphaSmoothness`) measure those of the parts that have an interpolator; an error at the first batch
            where these mix in several ways.
        autoencoder_every: the autoencoder's losses have gradients at every so-many-th training step only, the last
            of each round; at the others its parameters get none at all (``None``, with gradients cleared as
            ``zero_grad`` does), which optimizers leave alone. Compiled code has one graph with them and one without.
            In a larger sum it stays the schedule of these parts: the others have gradients at every step. A
            ``GradScaler`` refuses to step an optimizer without gradients, so a loop with one for each player writes
            ``if losses["reconstruction"].requires_grad: scaler.step(optimizer)``.

    After a call the parts' own ``unweighted`` and ``weights`` are those of their terms.

    Raises:
        TypeError: a part is neither; a subclass without a name.
        ValueError: no parts, two interpolators, parts that wrap different networks, or parts whose needs contradict
            each other.
    """

    name = "sum"
    set_once = frozenset({"interpolator"})

    def __init__(self, parts: Iterable["Regularizer | Interpolator"], *, autoencoder_every: int = 1) -> None:
        if type(self) is not Sum and type(self).name == Sum.name:
            raise TypeError(
                f"name: expected a class attribute of {type(self).__name__}, a str of its own, got 'sum'"
            )
        parts = list(parts)
        for part in parts:
            if not isinstance(part, (Regularizer, Interpolator)):
                raise TypeError(f"parts: expected regularizers, got {_checks.describe(part)}")
        regularizers = [part for part in parts if isinstance(part, Regularizer)]
        interpolators = [part for part in parts if isinstance(part, Interpolator)]
        if not regularizers or len(interpolators) > 1:
            raise ValueError(
                "parts: expected at least one regularizer and at most one Interpolator, "
                f"got {len(regularizers)} and {len(interpolators)}"
            )
        _check_same_pair(regularizers, interpolators)
        super().__init__(regularizers[0].encoder, regularizers[0].decoder)
        named: dict[str, nn.Module] = {}
        for part in regularizers:
            named[_numbered(part.name, named)] = part
        self.parts = FixedModules(named)
        self.interpolator = next(iter(interpolators), None)
        self.autoencoder_every = _checks.as_count("autoencoder_every", autoencoder_every, low=1)
        if autoencoder_every > 1:
            check_graph_may_change("autoencoder_every", self.encoder, self.decoder)
            self._start_counting()
        self._begin_turn(0)
        self._regularizers = tuple(regularizers)
        self._names: list[dict[str, str]] = []  # of each part's terms in the last batch, by its own names
        self._below = tuple(each for part in regularizers for each in (part, *part._below))
        if len(set(self._below)) < len(self._below):
            twice = next(part for part in self._below if self._below.count(part) > 1)
            raise ValueError(f"parts: expected each regularizer once, got one {type(twice).__name__} twice")
        self._planned = self.plan()

    @override
    def plan(self) -> Plan:
        return plan_of(self.needs(), self.interpolator)

    @override
    def needs(self) -> Sequence[Need]:
        return [need for part in self._regularizers for need in as_needs(part.needs())]

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        terms: dict[str, Term] = {}
        names_of_parts = []
        for part in self._regularizers:
            names: dict[str, str] = {}
            for name, term in part._terms(batch).items():
                names[name] = _numbered(name, terms)
                terms[names[name]] = term
            names_of_parts.append(names)
        self.__dict__["_names"] = names_of_parts
        if not self.training or self._autoencoder_now:
            return terms
        return {name: term if name.startswith(CRITIC) else without_gradient(term) for name, term in terms.items()}

    @override
    def _record(self, unweighted: dict[str, Tensor], weights: dict[str, float | Tensor]) -> None:
        super()._record(unweighted, weights)
        for part, names in zip(self._regularizers, self._names, strict=True):
            part._record(
                {own: unweighted[name] for own, name in names.items()},
                {own: weights[name] for own, name in names.items()},
            )

    def regularizers(self) -> tuple[Regularizer, ...]:
        """The parts, in order."""
        return self._regularizers

    @override
    def _count(self) -> None:
        super()._count()
        if self.autoencoder_every > 1:
            self._begin_turn(self._turn + 1)

    def _begin_turn(self, turn: int) -> None:
        self._turn = turn % self.autoencoder_every
        self._autoencoder_now = self._turn == self.autoencoder_every - 1

    @override
    def _resume(self) -> None:
        super()._resume()
        if self.step is not None:
            self._begin_turn(int(self.step))

    @override
    def _is_waiting(self) -> bool:
        return self.autoencoder_every > 1 or super()._is_waiting()

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        # a new submodule of a critic's name would train beside the parts' critics, what a recipe hands to its parts
        # would change nothing here, and another regularizer would be no term
        if name in CRITICS or (name in self.set_once and name not in OWN):
            raise fixed(self, name, value, instead="assign weights to its parts, as reg.game.weight, or ")
        if isinstance(value, Regularizer) and value not in self.__dict__.get("_below", [value]):
            raise AttributeError(
                f"{name}: expected no regularizer, got a {type(value).__name__}; add it: reg + it"
            )
        super().__setattr__(name, value)

    @staticmethod
    def of(*parts: "Regularizer | Interpolator") -> "Sum":
        """The sum of parts, those of plain sums taken out of them."""
        return Sum([each for part in parts for each in _flat(part)])

    def __getitem__(self, name: str) -> Regularizer:
        """A part by its name."""
        part = self.parts[name]
        assert isinstance(part, Regularizer)
        return part


def _check_same_pair(regularizers: list[Regularizer], interpolators: list[Interpolator]) -> None:
    encoder, decoder = regularizers[0].encoder, regularizers[0].decoder
    pairs: list[tuple[object, object]] = [(part.encoder, part.decoder) for part in regularizers]
    pairs += [(part.encoder, part.decoder) for part in interpolators if part.encoder is not None]
    for pair in pairs:
        for role, own, other in zip(("encoder", "decoder"), (encoder, decoder), pair, strict=True):
            if not _same(own, other):
                raise ValueError(
                    f"parts: expected all to wrap the same {role}, got {_checks.describe(own)} and another, "
                    f"{_checks.describe(other)}; make them all with one {role}, wrapped once if it is wrapped"
                )


def _flat(part: "Regularizer | Interpolator") -> list["Regularizer | Interpolator"]:
    """The parts of a plain sum; a recipe stays whole, so that its attributes stay reachable."""
    if type(part) is not Sum or part.autoencoder_every > 1:
        return [part]
    return [*([part.interpolator] if part.interpolator else []), *part.regularizers()]


def _same(a: object, b: object) -> bool:
    """Identity, but equality for bound methods, which Python makes anew at each access."""
    return a is b or (getattr(a, "__self__", None) is not None and a == b)


def _numbered(name: str, taken: Container[str]) -> str:
    """The name, with a number if it is taken."""
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    return unique
