"""Drawing the other generated sets: images a second on one thread (lines are in test_lines.py)."""

import pytest
import torch

from interpreg.datasets import pole, stripes


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("n", [64, 5_000])
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("source", [stripes, pole], ids=["stripes", "pole"])
def test_sample(benchmark, source, size: int, n: int) -> None:
    drawn = benchmark.pedantic(source.sample, (n, size), rounds=10, warmup_rounds=1)
    assert drawn.images.shape == (n, 1, size, size)
    benchmark.extra_info["images a second"] = n / benchmark.stats.stats.median
