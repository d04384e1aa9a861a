"""Fixtures for every test: fixed seeds, memory poisoned with NaN, the zoo and every regularizer, a process group."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from everyone import REGULARIZERS
from processes import leave
from sequences import Positions, Sequences, valid
from torch import Tensor, distributed, nn
from zoo import PAIRS, Zoo, vector_pair

from interpreg import Regularizer


@pytest.fixture(autouse=True)
def _reproducible_and_poisoned() -> Iterator[None]:
    """Seed torch, fill fresh memory with NaN, forget compiled code and numbers of threads."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.compiler.reset()
    torch.set_num_threads(threads)


@pytest.fixture(params=PAIRS)
def zoo(request: pytest.FixtureRequest) -> Zoo:
    return PAIRS[request.param]()


@pytest.fixture(params=REGULARIZERS)
def make(request: pytest.FixtureRequest) -> Callable[[nn.Module, nn.Module], Regularizer]:
    return REGULARIZERS[request.param]


@pytest.fixture
def pair() -> Zoo:
    return vector_pair()


@pytest.fixture
def encoder(pair: Zoo) -> nn.Module:
    return pair.encoder


@pytest.fixture
def network(pair: Zoo) -> nn.Module:
    """The encoder, where something is put around it."""
    return pair.encoder


@pytest.fixture
def decoder(pair: Zoo) -> nn.Module:
    return pair.decoder


@pytest.fixture
def x(pair: Zoo) -> Tensor:
    return pair.x


@pytest.fixture
def sequences() -> Sequences:
    return Sequences(Positions(3, 2), Positions(2, 3), torch.randn(4, 5, 3), valid())


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone, left when the test's wrappers are gone."""
    distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    leave()
