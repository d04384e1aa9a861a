"""The MMD between codes and a prior, by every contestant: value alone, and value with its gradient.

No contestant is timed whose value and gradient differ from the float64 reference's. The larger grid, up to sizes that
only a few contestants reach, is measured by mmd_grid.py.
"""

import pytest
import torch
from mmd_peers import HERE, data, gate, step, widths_of

D = 64
WIDTHS = widths_of("six", D)
# torch.compile's own, of its own deprecated functions
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:torch.*")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.compiler.reset()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", HERE)
def test_gate(name: str) -> None:
    gate(name, D, WIDTHS)


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("n", [64, 256, 1024])
def test_mmd(benchmark, n: int, mode: str, name: str) -> None:
    gate(name, D, WIDTHS)
    benchmark.group = f"n = {n}, {mode}"
    benchmark.pedantic(step(name, *data(n, D), WIDTHS, mode), rounds=20, warmup_rounds=3)
