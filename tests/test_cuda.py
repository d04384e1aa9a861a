"""What only a CUDA device can show. Run there with: python -m pytest -m cuda"""

import pytest
import torch
from zoo import PAIRS

from interpreg import ACAIRegularizer, Ramp

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


@pytest.fixture(autouse=True)
def _plain_kernels():
    """Some CUDA kernels have no deterministic form, and the suite asks for determinism elsewhere."""
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", PAIRS)
def test_a_step_never_waits_for_the_device(name: str) -> None:
    encoder, decoder, x = (thing.cuda() for thing in PAIRS[name]())
    reg = ACAIRegularizer(encoder, decoder, weight=Ramp(0.5, start=1, over=2))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            sum(reg(x).values()).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype: torch.dtype) -> None:
    encoder, decoder, x = (thing.cuda() for thing in PAIRS["rank 4"]())
    reg = ACAIRegularizer(encoder, decoder)
    with torch.autocast("cuda", dtype):
        losses = reg(x)
    sum(losses.values()).backward()
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_a_whole_step_can_be_captured_in_a_graph() -> None:
    encoder, decoder, x = (thing.cuda() for thing in PAIRS["rank 4"]())
    reg = ACAIRegularizer(encoder, decoder)
    trained = [*encoder.parameters(), *decoder.parameters(), *reg.parameters()]
    optimizer = torch.optim.Adam(trained, lr=1e-3, capturable=True)

    def step() -> None:
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        optimizer.step()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    before = [p.detach().clone() for p in trained]
    counted = reg.game.step.item()
    graph.replay()
    assert all(not torch.equal(p, q) for p, q in zip(trained, before, strict=True))
    assert reg.game.step.item() == counted + 1
