"""The modules behind callables of every kind, and the leaves of graphs."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from zoo import vector_pair

from interpreg._networks import is_synchronised, leaves_of, modules_of, parameters_of, submodules_of


class Whole(nn.Module):
    """An autoencoder of two methods."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(4, 2), nn.Linear(2, 4)

    def encode(self, x: Tensor) -> Tensor:
        return self.down(x)


class Trainer:
    """No module, but it has one."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.epochs = model, 3

    def encode(self, x: Tensor) -> Tensor:
        return self.model.encode(x)

    def __call__(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def encoder(self):
        return lambda x: self.encode(x)


MODEL = Whole()


def by_global(x: Tensor) -> Tensor:
    return MODEL.encode(x)


def by_default(x: Tensor, model: nn.Module = MODEL) -> Tensor:
    return model.encode(x)


def by_function(x: Tensor) -> Tensor:
    return by_global(torch.relu(x))


CALLABLES = {
    "module": MODEL, "method": MODEL.encode, "partial": partial(by_default, model=MODEL),
    "partial of a method": partial(MODEL.encode), "closure": (lambda model: lambda x: model.encode(x))(MODEL),
    "global": by_global, "default": by_default, "function of a function": by_function,
    "tuple": (lambda pair: lambda x: pair[0].encode(x))((MODEL, 3)),
    "dict": partial(by_default, model={"model": MODEL}),
    "method of no module": Trainer(MODEL).encode, "object": Trainer(MODEL), "self": Trainer(MODEL).encoder(),
}  # fmt: skip


@pytest.mark.parametrize("kind", CALLABLES)
def test_the_module_behind_a_callable(kind: str) -> None:
    assert modules_of(CALLABLES[kind]) == [MODEL]
    assert submodules_of(CALLABLES[kind]) == [MODEL, MODEL.down, MODEL.up]
    assert len(parameters_of(CALLABLES[kind])) == 4


@pytest.mark.parametrize("callable_", [torch.sin, len, Tensor.exp, lambda x: x, nn.Linear, 3, None])
def test_there_may_be_none(callable_: object) -> None:
    assert modules_of(callable_) == []


down = nn.Linear(3, 3)  # a global with the name of an attribute


def test_an_attribute_is_not_the_global_of_its_name() -> None:
    assert modules_of(lambda x: MODEL.down(x)) == [MODEL]
    assert modules_of(lambda x: down(x)) == [down]


def test_functions_inside_functions_and_empty_variables_count_as_far_as_they_go() -> None:
    assert modules_of(lambda xs: sum((lambda x: MODEL(x))(x) for x in xs)) == [MODEL]
    encode = lambda x: later(MODEL(x))  # noqa: E731
    assert modules_of(encode) == [MODEL]
    later = nn.Linear(2, 2)
    assert modules_of(encode) == [later, MODEL]


def test_a_recursive_function_ends() -> None:
    def encode(x: Tensor, deep: bool = True) -> Tensor:
        return encode(x, False) if deep else MODEL(x)

    assert modules_of(encode) == [MODEL]


def test_synchronised_networks_inside_others(process_group: None) -> None:
    wrapped = nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    assert all(
        map(is_synchronised, (wrapped, nn.Sequential(wrapped), torch.compile(wrapped), lambda x: wrapped(x)))
    )
    assert not is_synchronised(wrapped.module)


def test_leaves_of_a_graph() -> None:
    encoder, decoder, x = vector_pair()
    x_hat = checkpoint(decoder, encoder(x), use_reentrant=False)
    reached = leaves_of([x_hat.sum(), torch.zeros(())])
    assert {id(p) for p in reached} == {id(p) for p in [*encoder.parameters(), *decoder.parameters()]}
    assert leaves_of([decoder(encoder(x).detach()).sum()]) != []
    assert not {id(p) for p in leaves_of([decoder(encoder(x).detach()).sum()])} & {
        id(p) for p in encoder.parameters()
    }
    leaf = torch.ones((), requires_grad=True)
    assert leaves_of([leaf, leaf * 2]) == [leaf]
