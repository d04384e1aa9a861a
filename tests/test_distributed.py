"""Encoder, decoder and critic each in DistributedDataParallel, over two processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from processes import leave, spawn
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from zoo import vector_pair

from interpreg import ACAIRegularizer, fresh_copy

WORLD = 2


def networks() -> tuple[nn.Module, nn.Module, nn.Module]:
    torch.manual_seed(0)
    encoder, decoder, _ = vector_pair()
    return encoder.double(), decoder.double(), fresh_copy(encoder).double()


def batch(rank: int) -> Tensor:
    return torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(rank)).double()


def gradients(modules: tuple[nn.Module, ...], rank: int) -> list[Tensor]:
    """The gradients of two accumulated steps on a rank's batch."""
    encoder, decoder, critic = modules
    reg = ACAIRegularizer(encoder, decoder, critic=critic, generator=torch.Generator().manual_seed(rank))
    for _ in range(2):
        sum(reg(batch(rank)).values()).backward()
    return [p.grad for module in modules for p in module.parameters()]


def work(rank: int, world: int, folder: str) -> None:
    torch.save(gradients(tuple(DistributedDataParallel(m) for m in networks()), rank), f"{folder}/{rank}.pt")


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone, left when the test's wrappers are gone."""
    distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    leave()


def test_gradients_are_exactly_the_mean_over_processes(tmp_path: Path) -> None:
    spawn(work, WORLD, str(tmp_path))
    alone = [gradients(networks(), rank) for rank in range(WORLD)]
    for rank in range(WORLD):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for found, *own in zip(together, *alone, strict=True):
            torch.testing.assert_close(found, sum(own) / WORLD, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("process_group")
def test_a_sharded_critic_is_refused_and_a_sharded_encoder_has_no_copy() -> None:
    encoder, decoder, critic = networks()
    fully_shard(critic, mesh=init_device_mesh("cpu", (1,)))
    with pytest.raises(TypeError, match=r"critic: expected whole parameters, got '1.weight' sharded .* leave"):
        ACAIRegularizer(encoder, decoder, critic=critic)
    with pytest.raises(TypeError, match=r"encoder: expected whole parameters, .* before sharding the encoder"):
        ACAIRegularizer(critic, decoder)


@pytest.mark.usefixtures("process_group")
@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module")  # the test's decoder ends in a view
def test_encoder_and_decoder_may_be_sharded() -> None:
    expected = gradients(networks(), 0)
    encoder, decoder, critic = networks()
    for network in (encoder, decoder):
        fully_shard(network, mesh=init_device_mesh("cpu", (1,)))
    for found, plain in zip(gradients((encoder, decoder, critic), 0), expected, strict=True):
        whole = found.full_tensor() if hasattr(found, "full_tensor") else found
        torch.testing.assert_close(whole, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("process_group")
def test_a_wrapped_encoder_needs_a_critic_that_is_wrapped_too() -> None:
    encoder, decoder, _ = (DistributedDataParallel(module) for module in networks())
    with pytest.raises(TypeError, match=r"it is wrapped in DistributedDataParallel; give the critic as"):
        ACAIRegularizer(encoder, decoder)
