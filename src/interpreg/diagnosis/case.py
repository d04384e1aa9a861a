"""One batch run for a diagnosis: losses, what they reach, and their gradients."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from interpreg._networks import leaves_of, nodes_of, parameters_of
from interpreg.batch import Batch
from interpreg.diagnosis.result import TermGradients
from interpreg.regularizers import Adversary, Regularizer
from interpreg.regularizers.evaluation import evaluated
from interpreg.regularizers.players import CRITIC
from interpreg.regularizers.trace import Trace, roles_of, tensors_of

SHOWN = 3  # names in a message


@dataclass
class Case:
    """What the checks look at."""

    reg: Regularizer
    x: Tensor
    mask: Tensor | None
    optimizers: tuple[torch.optim.Optimizer, ...]
    losses: dict[str, Tensor] = field(default_factory=dict)
    unweighted: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Compute the losses and their gradients."""
        self.batch = Batch(self.x, self.reg.encoder, self.reg.decoder, mask=self.mask, plan=self.reg.plan())
        self.trace = Trace(self.reg)
        self.trace.clear({"x": self.x})
        with self.trace.attached():
            # the batch was made before the functions in the place of callables
            self.batch.encoder, self.batch.decoder = self.reg.encoder, self.reg.decoder
            self.losses, self.unweighted, self.weights = evaluated(self.reg._terms(self.batch), self.x)
        self.leaves = {name: leaves_of([loss]) for name, loss in self.losses.items()}
        self.gradients = {name: self._gradients_of(name) for name in self.losses}

    def _gradients_of(self, name: str) -> dict[int, Tensor]:
        """The gradients of a weighted loss at its leaves, by identity."""
        leaves = self.leaves[name]
        if not leaves:
            return {}
        try:
            found = torch.autograd.grad(self.losses[name], leaves, retain_graph=True, allow_unused=True)
        except RuntimeError:  # re-entrant checkpoints allow no gradients but those of backward()
            return {}
        return {id(leaf): g for leaf, g in zip(leaves, found, strict=True) if g is not None}

    @cached_property
    def roles(self) -> dict[str, Any]:
        """The networks by what they are."""
        return roles_of(self.reg)

    @cached_property
    def critics(self) -> dict[str, Adversary]:
        """The regularizers with a critic, by the role of their network."""
        found = [module for module in self.reg.modules() if isinstance(module, Adversary)]
        return dict(zip([role for role in self.roles if role.startswith("critic")], found, strict=True))

    @cached_property
    def trained(self) -> dict[str, Tensor]:
        """All parameters that require a gradient, of the networks and of the regularizer, by name."""
        named = tensors_of(self.roles | {"reg": self.reg}, ("parameters",))
        return {name: p for name, p in named.items() if p.requires_grad}

    @cached_property
    def names(self) -> dict[int, str]:
        """The names of trained parameters, by identity."""
        return {id(p): name for name, p in self.trained.items()}

    def trained_of(self, *roles: str) -> set[int]:
        """The trained parameters of some networks, by identity."""
        return {id(p) for role in roles for p in parameters_of(self.roles[role]) if p.requires_grad}

    @cached_property
    def of_autoencoder(self) -> set[int]:
        """The trained parameters of the encoder and the decoder; not a critic that an object holds beside them."""
        beside = self.trained_of(*self.critics) - self.reached(self.autoencoder_terms)
        return self.trained_of("encoder", "decoder") - beside

    @cached_property
    def of_critics(self) -> set[int]:
        """The trained parameters of critics, and what else only their own losses reach: parameters kept in a list."""
        reached = {id(leaf) for name in self.critic_terms for leaf in self.leaves[name]}
        return (self.trained_of(*self.critics) | reached) - self.of_autoencoder

    @property
    def critic_terms(self) -> list[str]:
        """The names of the critics' losses."""
        return [name for name in self.losses if name.startswith(CRITIC)]

    @property
    def autoencoder_terms(self) -> list[str]:
        """The names of the autoencoder's losses."""
        return [name for name in self.losses if not name.startswith(CRITIC)]

    @cached_property
    def is_opaque(self) -> bool:
        """Whether a re-entrant checkpoint hides what losses reach."""
        return any(node.name().startswith("CheckpointFunction") for node in nodes_of(self.losses.values()))

    def reached(self, names: list[str]) -> set[int]:
        """The leaves of some losses, by identity."""
        return {id(leaf) for name in names for leaf in self.leaves[name]}

    def is_computed(self, name: str) -> bool:
        """Whether a term's weight is anything but the number 0."""
        weight = self.weights[name]
        return isinstance(weight, Tensor) or weight != 0

    def norm(self, name: str, parameters: set[int]) -> float | None:
        """The norm of a term's gradient at some parameters; None where it reaches none of them."""
        norms = [g.double().norm().cpu() for key, g in self.gradients[name].items() if key in parameters]
        return float(torch.stack(norms).norm()) if norms else None

    def table(self) -> tuple[TermGradients, ...]:
        """A row for every term."""
        players = self.trained_of("encoder"), self.trained_of("decoder"), self.of_critics
        return tuple(
            TermGradients(
                name, float(self.weights[name]), float(self.unweighted[name]),
                *(self.norm(name, player) for player in players),
            )
            for name in self.losses
        )  # fmt: skip


def some(case: Case, keys: set[int], tensors: Iterable[Tensor] = ()) -> str:
    """Parameters by their number and the names of the first."""
    names = sorted(case.names[key] for key in keys if key in case.names)
    names += [
        f"one of shape {tuple(t.shape)} that is in no module" for t in tensors if id(t) in keys - set(case.names)
    ]
    if not names:
        names = ["tensors that are in no module"]
    count = f"{len(keys)} parameter{'s' * (len(keys) > 1)}"
    return f"{count} ({', '.join(names[:SHOWN])}{', ...' * (len(names) > SHOWN)})"
