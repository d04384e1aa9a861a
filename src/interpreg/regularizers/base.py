"""What every regularizer is, and how two of them add up."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._references import Reference, Referring
from interpreg._types import Network, Term
from interpreg.batch import Batch, Need, Plan
from interpreg.interpolator import Interpolator
from interpreg.regularizers import steps
from interpreg.regularizers.evaluation import evaluated
from interpreg.regularizers.plan import plan_of
from interpreg.regularizers.weights import Running, WeightLike

if TYPE_CHECKING:
    from interpreg.regularizers.sum import Sum

CRITIC = "critic/"


class Players(NamedTuple):
    """The objective of each player; each gives the other's parameters exactly no gradient."""

    autoencoder: Tensor
    critic: Tensor


class Regularizer(Referring, ABC):
    """An ``nn.Module`` that turns a batch into named losses, around an encoder and a decoder it never owns.

    A subclass needs a ``name`` and :meth:`terms`, and :meth:`needs` where a term uses interpolants.
    ``parameters()`` and ``state_dict()`` hold what the regularizer itself trains (critics) and its buffers.

    Args:
        encoder, decoder: any modules or callables of one tensor. Neither can be replaced afterwards.

    Attributes:
        step: a buffer of critics and of terms with a :class:`Ramp`: the number of calls in training mode with gradients
            enabled (so one a micro-batch where gradients are accumulated). None for all others.
        unweighted: the last call's losses before weights, detached, for logging; 0 where the weight is 0, whose term
            is not computed. Reading one with ``float`` waits for the device; keeping it does not.
        weights: the last call's weights, ramps and adaptive ratios included; numbers or detached tensors.

    Raises:
        TypeError: a network that cannot be called; a subclass without a name.
    """

    name: ClassVar[str]
    """What the regularizer is called inside a sum."""
    step: Tensor | None
    encoder = Reference()
    decoder = Reference()

    def __init__(self, encoder: Network, decoder: Network) -> None:
        _checks.check_network("encoder", encoder)
        _checks.check_network("decoder", decoder)
        if not isinstance(getattr(self, "name", None), str):
            raise TypeError(
                f"name: expected a class attribute of {type(self).__name__}, a str, got "
                f"{_checks.describe(getattr(self, 'name', None))}"
            )
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self._weights: dict[str, WeightLike] = {}
        self._ramps: dict[str, Running] = {}
        self._planned: Plan | None = None
        self._below: tuple[Regularizer, ...] = ()  # all parts, and theirs
        self._key = steps.register(self)
        self.unweighted: dict[str, Tensor] = {}
        self.weights: dict[str, float | Tensor] = {}
        self.register_buffer("step", None)
        self.register_load_state_dict_post_hook(_resume)  # type: ignore[no-untyped-call]

    @abstractmethod
    def terms(self, batch: Batch) -> dict[str, Term]:
        """The named terms of a batch; what they share they ask of the batch."""

    def needs(self) -> Sequence[Need]:
        """What :meth:`terms` will ask for besides codes and reconstructions. Read once, when first needed."""
        return ()

    def forward(
        self, x: Tensor, *, z: Tensor | None = None, x_hat: Tensor | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The weighted losses of a batch, 0-dim each; their sum is the objective of all players at once.

        Args:
            x: a floating point batch ``[B, ...]``.
            z: ``encoder(x)``, where the caller has it; computed when not given.
            x_hat: ``decoder(z)``, where the caller has it; computed when not given.
            mask: of padded sequences, boolean ``[B, T]``, True where valid. With one every network is called as
                ``network(value, mask)``, a mixed code's mask being valid where either of its two codes is; and
                wherever the second axis is T long, means are taken over valid positions alone.

        Raises:
            TypeError: ``x``, a code or an image is not a floating point tensor; a mask is not boolean; a term is no
                :class:`Term`.
            ValueError: a shape does not fit, or a term is not 0-dim; the message names which.
        """
        plan = self._planned or self.plan()
        if self._planned is None and not torch.compiler.is_compiling():
            self._planned = plan
        batch = Batch(x, self.encoder, self.decoder, z=z, x_hat=x_hat, mask=mask, plan=plan)
        losses, unweighted, weights = evaluated(self.terms(batch), x)
        # not through nn.Module.__setattr__, which takes 10 microseconds to find out that they are no modules
        self.__dict__["unweighted"], self.__dict__["weights"] = unweighted, weights
        if self.training and torch.is_grad_enabled():
            self._advance()
        return losses

    def plan(self) -> Plan:
        """The needs of all terms as one plan; errors in them are raised here."""
        return plan_of(self.needs())

    def count_on_host(self) -> None:
        """Count one training step of the ramps of all parts on the host."""
        self._count()
        for part in self._below:
            part._count()

    def _count(self) -> None:
        for ramp in self._ramps.values():
            ramp.advance()

    def _advance(self) -> None:
        """Count one training step."""
        parts = (self, *self._below)
        # not by attribute: nn.Module finds a buffer in a microsecond
        steps_of_parts = [part._buffers["step"] for part in parts]
        counters = [step for step in steps_of_parts if step is not None]
        compiling = torch.compiler.is_compiling()
        if compiling and any(part._is_waiting() for part in parts):
            steps.count_from_graph(counters, self._key)
            return
        if counters:
            steps.count(counters)
        if not compiling:
            for part in parts:
                part._count()
                part.after_step()

    def _resume(self) -> None:
        for ramp in self._ramps.values():
            assert self.step is not None
            ramp.resume(self.step)

    def _start_counting(self) -> Tensor:
        """The step, which is 0 where it was not counted so far."""
        if self.step is None:
            self.step = torch.zeros((), dtype=torch.long)
        return self.step

    def _is_waiting(self) -> bool:
        """Whether another set of terms may have a gradient at the next step."""
        return any(not ramp.begun for ramp in self._ramps.values())

    def after_step(self) -> None:
        """Checks that follow a training step outside compiled code."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._key = steps.register(self)  # a copy counts for itself

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
        return _sum().of(self, other)

    def __radd__(self, other: object) -> "Regularizer":
        if isinstance(other, int) and other == 0:  # the start of sum([...])
            return self
        if not isinstance(other, Interpolator):
            return NotImplemented
        return _sum().of(other, self)


def as_interpolator(interpolator: object) -> Interpolator | None:
    """The interpolator, or none; ``TypeError`` for anything else."""
    if interpolator is not None and not isinstance(interpolator, Interpolator):
        raise TypeError(f"interpolator: expected an Interpolator, got {_checks.describe(interpolator)}")
    return interpolator


def _resume(module: nn.Module, _: object) -> None:
    """Go on from the step at which the state was saved; the one look at the device is at loading."""
    assert isinstance(module, Regularizer)
    module._resume()


def _sum() -> "type[Sum]":
    from interpreg.regularizers.sum import Sum  # which is a regularizer itself

    return Sum
