"""One look at the graph of the losses, at their first call: each player's terms reach its own parameters alone."""

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor, nn

from interpreg import _checks
from interpreg._later import is_look
from interpreg._networks import leaves_of, nodes_of, parameters_of
from interpreg._warnings import warn
from interpreg.bottlenecks.base import Bottleneck

CRITIC = "critic/"  # how the names of a critic's terms start
LOOKS = 4  # at the parameters that nothing reaches, because layers may be skipped at random


class PlayersCheck:
    """Refuses losses with which one player would train the other; no backward is computed.

    A loss is looked at in the first call in which it has a graph, so that a weight may be 0 until later.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._unreached: dict[str, int] | None = None
        self._looks = 0
        self._calls = 0

    def is_due(self, losses: dict[str, Tensor]) -> bool:
        """Whether a loss has a graph for the first time, or parameters are still looked for at calls 1, 2, 4, 8."""
        if self._looks < LOOKS:
            self._calls += 1
            if is_look(self._calls):
                return True
        seen = self._seen
        return len(seen) < len(losses) and any(
            loss.requires_grad and name not in seen for name, loss in losses.items()
        )

    def __call__(
        self, losses: dict[str, Tensor], critics: Sequence[nn.Module], encoder: object, decoder: object, x: Tensor
    ) -> None:
        """Check, and remember which losses were; ``x``, of which a penalty may take the gradient, is no player's.

        Raises:
            ValueError: terms of both players reach one parameter, or the autoencoder's reach a critic's.
        """
        with_graph = {name: loss for name, loss in losses.items() if loss.requires_grad}
        reached = {id(leaf) for leaf in leaves_of(_of_critic(with_graph))}
        owned = {id(p) for network in critics for p in network.parameters()}
        of_autoencoder = [loss for name, loss in with_graph.items() if not name.startswith(CRITIC)]
        both = [leaf for leaf in leaves_of(of_autoencoder) if id(leaf) in reached | owned and leaf is not x]
        if both and not _is_compiled_together(_of_critic(with_graph), of_autoencoder):
            raise _shared(both[0], with_graph, {"critic": critics, "encoder": [encoder], "decoder": [decoder]})
        self._seen |= with_graph.keys()
        if len(list(_of_critic(losses))) == len(list(_of_critic(with_graph))) > 0:
            self._note_unreached(critics, reached)

    def _note_unreached(self, critics: Sequence[nn.Module], reached: set[int]) -> None:
        """Warn of parameters that the critics' losses reached at none of several calls."""
        if self._looks == LOOKS:
            return
        self._looks += 1
        now = {name: v for network in critics for name, v in _unreached(network, reached).items()}
        # what has another version was updated, by a loss of the loop's
        before = now if self._unreached is None else self._unreached
        self._unreached = {name: v for name, v in now.items() if before.get(name) == v}
        if self._looks == LOOKS and self._unreached:
            name, *others = sorted(self._unreached)
            warn(
                f"critic: {name!r}{f' and {len(others)} more parameters are' if others else ' is'} reached by none of "
                "its losses and will not be trained; freeze what the critic has no use for: "
                f"reg.critic.get_parameter({name!r}).requires_grad_(False)"
            )


def _of_critic(losses: dict[str, Tensor]) -> Iterator[Tensor]:
    return (loss for name, loss in losses.items() if name.startswith(CRITIC))


def _is_compiled_together(critic: Iterable[Tensor], autoencoder: Iterable[Tensor]) -> bool:
    """Whether torch.compile made one node of operations of both players, whose outputs all seem to reach its inputs."""
    return any("CompiledFunction" in node.name() for node in nodes_of(critic) & nodes_of(autoencoder))


def _unreached(network: nn.Module, reached: set[int]) -> dict[str, int]:
    """Parameters to train that are not reached, and have no gradient, with the number of their changes in place.

    None, where no other is reached: somebody else computes the critic's losses.
    """
    # a bottleneck in a copy passes codes through, so a part of it may be without use
    idle = {id(p) for module in network.modules() if isinstance(module, Bottleneck) for p in module.parameters()}
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if reached.isdisjoint(map(id, trained.values())):
        return {}
    unused = {name: p for name, p in trained.items() if id(p) not in reached | idle and p.grad is None}
    return {name: p._version for name, p in unused.items()}


def _shared(leaf: Tensor, losses: dict[str, Tensor], networks: dict[str, Iterable[object]]) -> ValueError:
    """The error that names a parameter and the terms that train it."""
    terms = [name for name, loss in losses.items() if any(leaf is each for each in leaves_of([loss]))]
    roles = [r for r, each in networks.items() if any(leaf is p for n in each for p in parameters_of(n))]
    what = f"a parameter of the {' and the '.join(roles)}" if roles else "a tensor that is no registered parameter"
    return ValueError(
        f"critic: expected terms of the critic and of the autoencoder to train different parameters, got {what}, "
        f"{_checks.describe(leaf)}, that is trained by {', '.join(map(repr, terms))}; keep the critic's parameters "
        "registered in it (nn.ParameterList, nn.ModuleList), let it call a copy of the encoder (fresh_copy) and not "
        "the encoder, and call it by call_frozen in the autoencoder's terms and by call_detached in its own"
    )
