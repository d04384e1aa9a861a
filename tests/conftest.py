"""Fixtures for every test: fixed seeds, memory poisoned with NaN, and the zoo."""

from collections.abc import Iterator

import pytest
import torch
from zoo import PAIRS, Zoo, vector_pair


@pytest.fixture(autouse=True)
def _reproducible_and_poisoned() -> Iterator[None]:
    """Seed torch, fill fresh memory with NaN, forget compiled code."""
    torch.manual_seed(0)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.compiler.reset()


@pytest.fixture(params=PAIRS)
def zoo(request: pytest.FixtureRequest) -> Zoo:
    return PAIRS[request.param]()


@pytest.fixture
def pair() -> Zoo:
    return vector_pair()
