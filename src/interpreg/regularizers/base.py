"""The bases of all regularizers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.interpolator import Interpolator
from interpreg.needs import Need, Plan
from interpreg.regularizers import steps
from interpreg.regularizers.call_checks import CallChecks
from interpreg.regularizers.evaluation import evaluated
from interpreg.regularizers.optimizers import check_optimizers
from interpreg.regularizers.plan import plan_of
from interpreg.regularizers.players import CRITIC
from interpreg.regularizers.saving import Saved
from interpreg.regularizers.weights import Running, Weight, WeightLike

if TYPE_CHECKING:
    from interpreg.regularizers.sum import Sum


class Players(NamedTuple):
    """The objective of each player; each gives the other's parameters exactly no gradient."""

    autoencoder: Tensor
    critic: Tensor


class Regularizer(Saved, ABC):
    """An ``nn.Module`` that turns a batch into named losses; the encoder and the decoder are no submodules of it.

    A subclass defines a ``name`` and :meth:`terms`, and :meth:`needs` where a term uses interpolants.
    ``parameters()`` and ``state_dict()`` hold the critics and the buffers, and nothing of the encoder and decoder.

    Args:
        encoder, decoder: any modules or callables of one tensor. Neither can be replaced afterwards.

    Attributes:
        step: a buffer of critics and of terms with a :class:`Ramp`: the number of calls in training mode with gradients
            enabled (so one a micro-batch where gradients are accumulated). None for all others.
        unweighted: the last call's losses before weights, detached, for logging; 0 where the weight is 0 and the term
            is not computed. Reading one with ``float`` synchronises with the device; storing it does not.
        weights: the last call's weights, ramps and adaptive ratios included; numbers or detached tensors.

    Raises:
        TypeError, ValueError: a network that cannot be called; a subclass without a name that can be a submodule's.
    """

    name: ClassVar[str]
    """The name of the regularizer inside a sum."""

    def __init__(self, encoder: Network, decoder: Network) -> None:
        _checks.check_network("encoder", encoder)
        _checks.check_network("decoder", decoder)
        name = getattr(self, "name", None)
        if not isinstance(name, str):
            raise TypeError(
                f"name: expected a class attribute of {type(self).__name__}, a str, got {_checks.describe(name)}"
            )
        if not name.isidentifier() or hasattr(nn.ModuleDict, name):  # it names a submodule of sums
            raise ValueError(f"name: expected an identifier that is no attribute of nn.ModuleDict, got {name!r}")
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self._weights: dict[str, WeightLike] = {}
        self._ramps: dict[str, Running] = {}
        self._planned: Plan | None = None
        self._below: tuple[Regularizer, ...] = ()  # the parts, and the parts of parts
        self._key = steps.register(self)
        self._call_checks = CallChecks()
        self.unweighted: dict[str, Tensor] = {}
        self.weights: dict[str, float | Tensor] = {}
        self.register_buffer("step", None)
        self.register_load_state_dict_post_hook(_resume)  # type: ignore[no-untyped-call]

    @abstractmethod
    def terms(self, batch: Batch) -> dict[str, Term]:
        """The named terms of a batch; the batch computes what several terms use once."""

    def needs(self) -> Sequence[Need]:
        """What the terms use besides codes and reconstructions. Called once, before the first batch."""
        return ()

    def forward(
        self, x: Tensor, *, z: Tensor | None = None, x_hat: Tensor | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The weighted losses of a batch, 0-dim each; their sum is the objective of all players at once.

        Args:
            x: a floating point batch ``[B, ...]``.
            z: ``encoder(x)``, where the caller has it; computed when not given.
            x_hat: ``decoder(z)``, where the caller has it; computed when not given.
            mask: of padded sequences, boolean ``[B, T]``, True where valid. With it every network is called as
                ``network(value, mask)``, with zeros in the padding, and what it returns there is not used; a mixed code
                is valid where either of its two codes is (:meth:`Interpolator.sample`); and means of ``[B, T, ...]``
                are taken over valid positions alone.

        Raises:
            TypeError: ``x``, a code or an image is not a floating point tensor; a mask is not boolean, or a network
                would take it for something else; a term is no :class:`Term`.
            ValueError: a shape does not fit, or a term is not 0-dim; the message names which. In the first training
                call, terms of both players that train one parameter.
        """
        plan = self._planned or self.plan()
        if self._planned is None and not torch.compiler.is_compiling():
            self._planned = plan
        batch = Batch(x, self.encoder, self.decoder, z=z, x_hat=x_hat, mask=mask, plan=plan)
        losses, unweighted, weights = evaluated(self._terms(batch), x)
        self._record(unweighted, weights)
        is_step = self.training and torch.is_grad_enabled()
        if not torch.compiler.is_compiling():
            self._call_checks.after(self, batch, losses, z=z, x_hat=x_hat)
            if is_step and not self._has_trained:
                self._has_trained = True
        if is_step:
            self._advance()
        return losses

    def _record(self, unweighted: dict[str, Tensor], weights: dict[str, float | Tensor]) -> None:
        # nn.Module.__setattr__ takes 10 microseconds for attributes that are no modules
        self.__dict__["unweighted"], self.__dict__["weights"] = unweighted, weights

    def _terms(self, batch: Batch) -> dict[str, Term]:
        terms = self.terms(batch)
        if not isinstance(terms, dict):
            raise TypeError(
                f"terms: expected a dict of {type(self).__name__}'s terms by their names, got {_checks.describe(terms)}"
            )
        for name in terms:
            if not isinstance(name, str):
                raise TypeError(
                    f"terms: expected names as str in {type(self).__name__}, got {_checks.describe(name)}"
                )
        return terms

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
        # nn.Module.__getattr__ takes a microsecond for each buffer
        steps_of_parts = [part._buffers["step"] for part in parts]
        counters = [step for step in steps_of_parts if step is not None]
        compiling = torch.compiler.is_compiling()
        if compiling and any(part._is_waiting() for part in parts):
            steps.count_from_graph(counters, self._key)
            return
        if counters:
            steps.count(counters)
        if not compiling:
            self.count_on_host()
            for part in parts:
                part.after_step()

    def _resume(self) -> None:
        for ramp in self._ramps.values():
            assert self.step is not None
            ramp.resume(self.step)

    def _start_counting(self) -> Tensor:
        """The step; counted from 0 on where the regularizer had none."""
        if self.step is None:
            self.step = torch.zeros((), dtype=torch.long)
        return self.step

    def _is_waiting(self) -> bool:
        """Whether the set of terms that have a gradient may change at the next step."""
        return any(not ramp.begun for ramp in self._ramps.values())

    def critic_networks(self) -> tuple[nn.Module, ...]:
        """The networks that its terms train against the autoencoder, those of its parts left out."""
        return ()

    def after_step(self) -> None:
        """Checks that follow a training step outside compiled code."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._key = steps.register(self)  # a copy counts its own steps

    @staticmethod
    def split(losses: dict[str, Tensor]) -> Players:
        """The losses summed for each player, for users with two optimizers; both backwards come before either step.

        A player that has no gradient at a step, by its weights of 0 or its schedule, has a sum whose ``backward`` works
        and gives no parameter a gradient. Where no loss has a gradient, as under ``no_grad``, ``backward`` is an error.
        """
        if not isinstance(losses, dict) or not losses:
            raise TypeError(f"losses: expected the dict that reg(x) returns, got {_checks.describe(losses)}")
        renamed = next((name for name in losses if f"/{CRITIC}" in name), None)
        if renamed is not None:
            raise ValueError(
                f"losses: expected the names that reg(x) returns, got {renamed!r}, of which the player is not known; "
                "rename them after split"
            )
        critic = [loss for name, loss in losses.items() if name.startswith(CRITIC)]
        autoencoder = [loss for name, loss in losses.items() if not name.startswith(CRITIC)]
        zero = next(iter(losses.values())).new_zeros(())
        has_gradient = torch.is_grad_enabled() and any(loss.requires_grad for loss in losses.values())
        if has_gradient and not torch.compiler.is_compiling():
            zero.requires_grad_()
        return Players(sum(autoencoder, zero), sum(critic, zero))

    def check_optimizers(self, *optimizers: torch.optim.Optimizer) -> None:
        """Raise ``ValueError`` unless the optimizers together hold every parameter that trains.

        These are the regularizer's own, and those of the encoder and the decoder, unless an optimizer holds none of
        that network's, which then is trained elsewhere or not at all. Parameters that are frozen on purpose need
        ``requires_grad_(False)``. Refused too are optimizers that hold the parameters of a copy of a network.
        """
        check_optimizers(self, self.encoder, self.decoder, optimizers)

    def detect_nonfinite(self) -> AbstractContextManager[None]:
        """A context in which a call raises ``FloatingPointError`` where a loss or its gradient is not finite.

        The message names the term, the first layer whose output was not finite and in which call of which network, and
        whether x or a parameter was so before. It waits for the device at every layer and computes a gradient for every
        term, so it is for finding a fault. Layers inside compiled networks are not told apart.

        >>> with reg.detect_nonfinite():  # doctest: +SKIP
        ...     losses = reg(x)
        """
        from interpreg.regularizers.nonfinite import Detecting  # here, because it imports this module

        return Detecting(self)

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


class SingleTerm(Regularizer):
    """A regularizer of one term, which has the regularizer's name."""

    weight = Weight()

    def __init__(self, encoder: Network, decoder: Network, *, weight: WeightLike) -> None:
        super().__init__(encoder, decoder)
        self.weight = weight

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        return {self.name: Term(partial(self.value, batch), self.weight)}

    @abstractmethod
    def value(self, batch: Batch) -> Tensor:
        """The term's value before its weight, 0-dim."""


def _resume(module: nn.Module, _: object) -> None:
    """Go on from the step of the loaded state, which is read from the device once."""
    assert isinstance(module, Regularizer)
    module._resume()


def _sum() -> "type[Sum]":
    from interpreg.regularizers.sum import Sum  # here, because it imports this module

    return Sum
