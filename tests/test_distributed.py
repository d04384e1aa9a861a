"""Encoder, decoder and critic each in DistributedDataParallel, over two processes; or sharded."""

from collections.abc import Callable

import pytest
import torch
from processes import spawn
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from zoo import vector_pair

from interpreg import AlphaSmoothness, Interpolator, LatentCritic, Regularizer, fresh_copy, latent_network
from interpreg.recipes import ACAIRegularizer

WORLD = 2
METHODS = ("auto", "forward", "double-backward", "finite")
# torch's own: when it first looks for a rule of forward mode; of decoders that end in a view
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:FSDP2-wrapped module"),
]


def acai(encoder: nn.Module, decoder: nn.Module, critic: nn.Module, generator: torch.Generator) -> Regularizer:
    return ACAIRegularizer(encoder, decoder, critic=critic, generator=generator)


def smoothness(method: str) -> Callable[..., Regularizer]:
    def make(encoder: nn.Module, decoder: nn.Module, generator: torch.Generator) -> Regularizer:
        return AlphaSmoothness(encoder, decoder, interpolator=Interpolator(generator=generator), method=method)

    return make


def latent(encoder: nn.Module, critic: nn.Module, generator: torch.Generator) -> Regularizer:
    return LatentCritic(encoder, nn.Identity(), critic, generator=generator)


MAKERS = {"acai": acai, "latent critic": latent} | {method: smoothness(method) for method in METHODS}


def networks(name: str) -> tuple[nn.Module, ...]:
    """The networks that a regularizer of this name trains."""
    torch.manual_seed(0)
    encoder, decoder, _ = vector_pair()
    trained = {"acai": (encoder, decoder, fresh_copy(encoder)), "latent critic": (encoder, latent_network((4,)))}
    return tuple(network.double() for network in trained.get(name, (encoder, decoder)))


def gradients(name: str, modules: tuple[nn.Module, ...], rank: int = 0) -> list[Tensor]:
    """The gradients of two accumulated steps on a rank's batch."""
    reg = MAKERS[name](*modules, generator=torch.Generator().manual_seed(rank))
    x = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(rank)).double()
    for _ in range(2):
        sum(reg(x).values()).backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for m in modules for p in m.parameters()]


def work(rank: int, world: int, name: str, folder: str) -> None:
    wrapped = tuple(DistributedDataParallel(network) for network in networks(name))
    torch.save(gradients(name, wrapped, rank), f"{folder}/{rank}.pt")


@pytest.mark.parametrize("name", ["acai", "latent critic", "auto", "double-backward"])
def test_gradients_are_exactly_the_mean_over_processes(name: str, tmp_path) -> None:
    spawn(work, WORLD, name, str(tmp_path))
    alone = [gradients(name, networks(name), rank) for rank in range(WORLD)]
    for rank in range(WORLD):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for gradient, *own in zip(together, *alone, strict=True):
            torch.testing.assert_close(gradient, sum(own) / WORLD, rtol=1e-12, atol=1e-14)


@pytest.mark.fault(
    "Processes",
    "A derivative through a wrapped decoder leaves its gradients unsynchronised.",
    now="exactly the mean over processes, step after step",
)
@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("method", METHODS)
def test_wrapped_networks_are_differentiated_step_after_step(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters without a gradient would make the second step fail."""
    encoder, decoder = (DistributedDataParallel(network) for network in networks(method))
    decoded, run = [], decoder._run_ddp_forward
    monkeypatch.setattr(decoder, "_run_ddp_forward", lambda *z: decoded.append(1) or run(*z))
    together = gradients(method, (encoder, decoder))
    assert len(decoded) == (6 if method == "finite" else 2)  # and not for the trial
    torch.testing.assert_close(together, gradients(method, networks(method)), rtol=1e-10, atol=1e-12)


def shard(*modules: nn.Module) -> None:
    for module in modules:
        fully_shard(module, mesh=init_device_mesh("cpu", (1,)))


def whole(gradient: Tensor) -> Tensor:
    return gradient.full_tensor() if hasattr(gradient, "full_tensor") else gradient


@pytest.mark.usefixtures("process_group")
def test_a_sharded_critic_is_refused_and_a_sharded_encoder_has_no_copy() -> None:
    encoder, decoder, critic = networks("acai")
    shard(critic)
    with pytest.raises(TypeError, match=r"critic: expected whole parameters, got '1.weight' sharded .* leave"):
        ACAIRegularizer(encoder, decoder, critic=critic)
    with pytest.raises(TypeError, match=r"encoder: expected whole parameters, .* before sharding the encoder"):
        ACAIRegularizer(critic, decoder)


@pytest.mark.usefixtures("process_group")
def test_encoder_and_decoder_may_be_sharded() -> None:
    encoder, decoder, critic = networks("acai")
    shard(encoder, decoder)
    with pytest.raises(TypeError, match=r"critic: expected one in DistributedDataParallel, as the encoder is"):
        ACAIRegularizer(encoder, decoder, critic=critic)
    critic = DistributedDataParallel(critic)
    sharded = [whole(gradient) for gradient in gradients("acai", (encoder, decoder, critic))]
    torch.testing.assert_close(sharded, gradients("acai", networks("acai")), rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("process_group")
def test_a_sharded_decoder_is_differentiated_by_differences() -> None:
    pair = networks("auto")
    shard(*pair)
    with pytest.warns(UserWarning, match="method='finite', because its parameters are sharded over processes"):
        sharded = [whole(gradient) for gradient in gradients("auto", pair)]
    torch.testing.assert_close(sharded, gradients("finite", networks("finite")), rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("process_group")
def test_a_wrapped_encoder_needs_a_critic_that_is_wrapped_too() -> None:
    encoder, decoder, _ = networks("acai")
    wrapped = DistributedDataParallel(encoder)
    with pytest.raises(
        TypeError, match=r"it is wrapped in DistributedDataParallel, .* copied before the encoder is wrapped"
    ):
        ACAIRegularizer(wrapped, decoder)
    for arguments in ({}, {"code_shape": (4,)}):
        with pytest.raises(TypeError, match=r"give DistributedDataParallel\(latent_network\(code_shape\)\)"):
            LatentCritic(wrapped, decoder, **arguments)
    with pytest.raises(RuntimeError, match="uninitialized parameters"):  # torch's own
        DistributedDataParallel(latent_network())
