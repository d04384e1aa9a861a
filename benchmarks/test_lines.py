"""Drawing lines, and matching them: images a second on one thread."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from interpreg.datasets import lines
from interpreg.metrics import line_scores, nearest


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("n", [64, 20_000])
def test_render(benchmark, n: int) -> None:
    angles = torch.rand(n) * 2 * math.pi
    images = benchmark.pedantic(lines.render, (angles,), rounds=10, warmup_rounds=1)
    assert images.shape == (n, 1, 32, 32)
    benchmark.extra_info["images a second"] = n / benchmark.stats.stats.median


def test_line_scores_of_the_published_size(benchmark) -> None:
    angles = torch.rand(256, 16, dtype=torch.float64) * 2 * math.pi
    paths = lines.render(angles.flatten()).float().view(256, 16, 1, 32, 32)
    assert benchmark.pedantic(line_scores, (paths,), rounds=3, warmup_rounds=1).paths == 256


@pytest.mark.parametrize("provider", ["interpreg", "scipy"])
def test_nearest(benchmark, provider: str) -> None:
    benchmark.group = "nearest of 10,000 lines to 256"
    images = lines.sample(256).images.double()
    references = lines.render(torch.linspace(0, 6.28, 10_000, dtype=torch.float64))
    flat = images.flatten(1).numpy(), references.flatten(1).numpy()
    np.testing.assert_array_equal(nearest(images, references).indices, cdist(*flat, "cosine").argmin(1))
    if provider == "scipy":
        benchmark.pedantic(lambda: cdist(*flat, "cosine").min(1), rounds=3)
    else:
        benchmark.pedantic(nearest, (images, references), rounds=3)
