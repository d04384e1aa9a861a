"""Several processes: what is synchronised, what is refused, what is warned of, once."""

import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from processes import spawn
from torch import Tensor, distributed, nn
from torch.distributed._composable.replicate import replicate
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel
from zoo import Zoo, vector_pair

from interpreg import (
    AAERegularizer,
    ACAIRegularizer,
    AEAIRegularizer,
    GAIARegularizer,
    GaussianBottleneck,
    LatentCritic,
    MIDRAERegularizer,
    MMDPrior,
    Ramp,
    Reconstruction,
    Regularizer,
    Sum,
    VAERegularizer,
    fresh_copy,
    latent_network,
)
from interpreg.regularizers.processes import is_equal_across_processes

WORLD = 2
# torch's own, of sharded decoders that end in a view
pytestmark = pytest.mark.filterwarnings("ignore:FSDP2-wrapped module")


class Around(nn.Module):
    """A module that does nothing but call another."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


NESTED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "alone": DistributedDataParallel,
    "compiled": lambda module: torch.compile(DistributedDataParallel(module), backend="eager"),
    "in a module": lambda module: Around(DistributedDataParallel(module)),
}


def image_networks() -> tuple[nn.Module, nn.Module, nn.Module]:
    """An encoder, a decoder and a critic with batch statistics."""
    encoder = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3, 2, 1))
    layers = [nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.ConvTranspose2d(6, 1, 4, 2, 1)]
    critic = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3, 2, 1))
    return encoder, nn.Sequential(*layers), critic


def of_codes() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def of_images() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
    )


RECIPES: dict[str, tuple[Callable[..., Regularizer], Callable[[], nn.Module] | None]] = {
    "acai": (ACAIRegularizer, None), "midrae": (MIDRAERegularizer, None), "aeai": (AEAIRegularizer, None),
    "aae": (AAERegularizer, of_codes), "gaia": (GAIARegularizer, of_images),
}  # fmt: skip


def trained(rank: int, recipe: str, nested: str) -> list[nn.Parameter]:
    """All parameters after three steps, of which the last has fewer samples on the second process."""
    make, critic_of = RECIPES[recipe]
    torch.manual_seed(rank)  # what a wrapper sends from the first process to all
    encoder, decoder, critic = image_networks()
    critic = critic_of() if critic_of else critic
    encoder, decoder, critic = (NESTED[nested](network) for network in (encoder, decoder, critic))
    reg = make(encoder, decoder, critic=critic)
    parameters = list(nn.ModuleList([encoder, decoder, critic]).parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    for size in (6, 6, 6 - 2 * rank):
        optimizer.zero_grad()
        sum(reg(torch.randn(size, 1, 8, 8)).values()).backward()
        optimizer.step()
    return parameters


def train_all(rank: int, world: int) -> None:
    torch.set_num_threads(1)
    for recipe, nested in [
        ("acai", "compiled"),
        ("acai", "alone"),
        *((recipe, "in a module") for recipe in RECIPES),
    ]:
        parameters = trained(rank, recipe, nested)
        values = torch.cat([t.detach().flatten() for p in parameters for t in (p, p.grad)])
        others = [torch.empty_like(values) for _ in range(world)]
        distributed.all_gather(others, values)
        assert all(torch.equal(values, other) for other in others), (recipe, nested)
        assert is_equal_across_processes(parameters)
    with torch.no_grad():
        parameters[0].flatten()[0] = torch.nextafter(parameters[0].flatten()[0], torch.tensor(rank - 0.5) * 1e9)
    assert not is_equal_across_processes(parameters)
    swapped = torch.tensor([1.0, 2.0] if rank else [2.0, 1.0])
    assert not is_equal_across_processes([swapped])
    assert is_equal_across_processes([swapped.sum(), torch.full((3,), torch.nan), torch.ones(2).half().T])


@pytest.mark.fault(
    "Processes",
    "A critic with batch statistics is called twice before one backward (pytorch/pytorch#175024).",
    now="all players are equal on all processes, to the last bit",
)
def test_all_players_stay_equal_on_all_processes_whatever_is_around_their_wrappers() -> None:
    """With batch statistics and an uneven last batch, to the last bit."""
    spawn(train_all, WORLD)


@pytest.mark.fault(
    "Processes", "DistributedDataParallel is inside another: `torch.compile(DDP(e))`, a module around `DDP(e)`.",
    now="`TypeError` unless the critic is wrapped too; its copies on the processes would diverge",
)  # fmt: skip
@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("nested", [*NESTED, "function", "method"])
def test_a_critic_beside_a_synchronised_encoder_is_synchronised_too(nested: str) -> None:
    encoder, decoder, _ = vector_pair()
    critic = fresh_copy(encoder)
    if nested in NESTED:
        wrapped = NESTED[nested](encoder)
    else:
        inner = DistributedDataParallel(encoder)
        wrapped = (lambda x: inner(x)) if nested == "function" else Around(inner).forward
    says = r"critic: expected one in DistributedDataParallel, .* give critic=DistributedDataParallel\(critic\)"
    for make in (ACAIRegularizer, MIDRAERegularizer, GAIARegularizer):
        with pytest.raises(TypeError, match=says):
            make(wrapped, decoder, critic=critic)
        with pytest.raises(TypeError, match=r"critic: expected one"):
            make(wrapped, decoder)
    with pytest.raises(TypeError, match=says):
        AAERegularizer(wrapped, decoder, critic=latent_network((4,)))
    with pytest.raises(TypeError, match=r"give DistributedDataParallel\(latent_network\(code_shape\)\)"):
        LatentCritic(wrapped, decoder, code_shape=(4,))
    with pytest.raises(TypeError, match=r"critic: .* as the decoder is synchronised"):
        ACAIRegularizer(encoder, DistributedDataParallel(decoder))
    half = nn.Sequential(DistributedDataParallel(critic), nn.Linear(4, 1))
    with pytest.raises(TypeError, match=says):
        ACAIRegularizer(wrapped, decoder, critic=half)
    ACAIRegularizer(wrapped, decoder, critic=Around(DistributedDataParallel(critic)))


@pytest.mark.usefixtures("process_group")
def test_a_critic_beside_a_sharded_encoder_is_synchronised_too(pair: Zoo) -> None:
    critic = fresh_copy(pair.encoder)
    fully_shard(pair.encoder, mesh=init_device_mesh("cpu", (1,)))
    with pytest.raises(TypeError, match=r"as the encoder is synchronised over processes, got a Sequential"):
        ACAIRegularizer(lambda x: pair.encoder(x), pair.decoder, critic=critic)


@pytest.mark.usefixtures("process_group")
@pytest.mark.filterwarnings("ignore:FSDP")
def test_the_older_sharding_is_sharding_too(pair: Zoo) -> None:
    critic = FullyShardedDataParallel(fresh_copy(pair.encoder), device_id=torch.device("cpu"))
    with pytest.raises(TypeError, match=r"critic: expected whole parameters, got '.*' sharded over processes"):
        ACAIRegularizer(pair.encoder, pair.decoder, critic=nn.Sequential(critic))
    encoder = FullyShardedDataParallel(pair.encoder, device_id=torch.device("cpu"))
    with pytest.raises(TypeError, match=r"as the encoder is synchronised over processes"):
        ACAIRegularizer(encoder, pair.decoder, critic=fresh_copy(pair.decoder))
    with pytest.raises(TypeError, match=r"before sharding the encoder"):
        ACAIRegularizer(encoder, pair.decoder)


@pytest.mark.fault(
    "Processes", "A ramp or a schedule is combined with `DistributedDataParallel(static_graph=True)`.",
    now="`ValueError`; the networks of the processes would diverge when it begins",
)  # fmt: skip
@pytest.mark.usefixtures("process_group")
def test_a_graph_that_was_promised_not_to_change_does_not(pair: Zoo) -> None:
    fixed = partial(DistributedDataParallel, static_graph=True)
    critic = Around(fixed(fresh_copy(pair.encoder)))
    for weights in ({"critic_weight": Ramp(1.0, start=2)}, {"weight": Ramp(1.0, over=2)}):
        with pytest.raises(ValueError, match=r"weight: expected no schedule .* leave static_graph out"):
            ACAIRegularizer(pair.encoder, pair.decoder, critic=critic, **weights)
    reg = ACAIRegularizer(pair.encoder, pair.decoder, critic=critic)
    with pytest.raises(ValueError, match="weight: expected no schedule"):
        reg.game.weight = Ramp(1.0)
    assert reg.game.weight == 0.5
    parts = [Reconstruction(fixed(pair.encoder), pair.decoder)]
    with pytest.raises(ValueError, match="autoencoder_every: expected no schedule"):
        Sum(parts, autoencoder_every=2)
    Sum(parts, autoencoder_every=1)


def warned(reg: Callable[..., dict[str, Tensor]], x: Tensor, **given: Tensor) -> list[str]:
    """The warnings of two training calls."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            sum(reg(x, **given).values())
    return [str(each.message) for each in caught if "processes" in str(each.message)]


@pytest.fixture
def several(process_group: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process that believes there are two."""
    monkeypatch.setattr("interpreg.regularizers.processes.world_size", lambda: WORLD)


WRAP = DistributedDataParallel


@pytest.mark.fault(
    "Processes", "The regularizer is made before its networks are wrapped, or with `ddp.module`.",
    now="one warning, at the first training call of a run of several processes, with the line that mends it",
)  # fmt: skip
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("when", ["never", "later", "module"])
@pytest.mark.parametrize("make", [ACAIRegularizer, MMDPrior, Reconstruction])
def test_networks_that_nothing_synchronises_are_warned_of_once(make, when: str, pair: Zoo) -> None:
    if when == "module":
        reg = make(WRAP(pair.encoder).module, WRAP(pair.decoder).module)
    else:
        reg = make(pair.encoder, pair.decoder)
    kept = [WRAP(pair.encoder), WRAP(pair.decoder)] if when == "later" else []
    message, *more = warned(reg, pair.x)
    assert not more
    critic = " and critic" if make is ACAIRegularizer else ""
    assert message.startswith(f"several processes: 2 of them train the encoder and decoder{critic}, and nothing")
    assert "encoder = DistributedDataParallel(encoder), or what accelerator.prepare returns" in message
    del kept


@pytest.mark.usefixtures("several")
def test_one_network_of_several_is_named(pair: Zoo) -> None:
    critic = WRAP(fresh_copy(pair.encoder))
    (message,) = warned(ACAIRegularizer(WRAP(pair.encoder), pair.decoder, critic=critic), pair.x)
    assert "train the decoder, and" in message
    heads = (nn.Linear(4, 4), nn.Linear(4, 4))
    (message,) = warned(
        VAERegularizer(GaussianBottleneck(WRAP(pair.encoder), heads=heads), WRAP(pair.decoder)), pair.x
    )
    assert "train the encoder, and" in message


@pytest.mark.fault(
    "Processes", "One wrapper is put around the regularizer, `DDP(reg)`, which holds the critic alone.",
    now="the same warning, of the encoder and the decoder",
)  # fmt: skip
@pytest.mark.usefixtures("several")
def test_a_wrapper_around_the_regularizer_is_one_of_the_critic(pair: Zoo) -> None:
    (message,) = warned(WRAP(ACAIRegularizer(pair.encoder, pair.decoder)), pair.x)
    assert "train the encoder and decoder, and nothing" in message


class Lightning(nn.Module):
    """One module of everything, as Lightning wraps it; its forward is the training step."""

    def __init__(self, pair: Zoo) -> None:
        super().__init__()
        self.encoder, self.decoder = pair.encoder, pair.decoder
        self.reg = ACAIRegularizer(self.encoder, self.decoder)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.reg(x)


class Whole(nn.Module):
    """One module of both networks, wrapped as one."""

    def __init__(self, pair: Zoo) -> None:
        super().__init__()
        self.encode, self.decode = pair.encoder, pair.decoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.encode(x)
        return z, self.decode(z)


@pytest.mark.usefixtures("several")
def test_healthy_runs_of_several_processes_are_silent(pair: Zoo) -> None:
    assert not warned(WRAP(Lightning(vector_pair())), pair.x)
    sharded = Lightning(vector_pair())
    fully_shard(sharded, mesh=init_device_mesh("cpu", (1,)))
    assert not warned(sharded, pair.x)
    model = Whole(vector_pair())
    wrapped = WRAP(model)
    z, x_hat = wrapped(pair.x)
    critic = WRAP(fresh_copy(pair.encoder))
    assert not warned(ACAIRegularizer(model.encode, model.decode, critic=critic), pair.x, z=z, x_hat=x_hat)
    constants = ACAIRegularizer(torch.Tensor.sin, torch.Tensor.cos, critic=nn.Linear(8, 1))
    assert not warned(WRAP(constants), torch.randn(4, 8))  # which wraps the critic
    encoder, decoder = WRAP(pair.encoder), WRAP(pair.decoder)
    for reg in (
        ACAIRegularizer(encoder, decoder, critic=critic),
        ACAIRegularizer(partial(encoder), Around(decoder), critic=critic),
        MMDPrior(encoder, pair.decoder.requires_grad_(False)),
    ):  # fmt: skip
        assert not warned(reg, pair.x)


@pytest.mark.usefixtures("several")
def test_what_trains_nothing_is_not_warned_of_and_filters_are_heard(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder)
    with torch.no_grad():
        assert not warned(reg, pair.x)
    assert not warned(reg.eval(), pair.x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "several processes")
        reg.train()(pair.x)


def test_one_process_needs_no_wrappers(pair: Zoo) -> None:
    assert not warned(ACAIRegularizer(pair.encoder, pair.decoder), pair.x)
    assert is_equal_across_processes(pair.encoder.parameters())


@pytest.mark.fault(
    "Processes", "A critic is given to `replicate()`: its first call, the frozen one, hides its parameters.",
    now="`TypeError` with what to give instead; its copies on the processes would diverge",
)  # fmt: skip
@pytest.mark.usefixtures("several")
def test_a_critic_is_not_replicated_in_place(pair: Zoo) -> None:
    says = r"critic: expected one in DistributedDataParallel, got a DDPSequential given to replicate\(\)"
    critic = fresh_copy(pair.encoder)
    later = ACAIRegularizer(pair.encoder, pair.decoder, critic=critic)
    replicate(critic)
    with pytest.raises(TypeError, match=says):
        ACAIRegularizer(pair.encoder, pair.decoder, critic=critic)
    with pytest.raises(TypeError, match=says):
        later(pair.x)


def train_replicated(rank: int, world: int) -> None:
    torch.manual_seed(rank)
    encoder, decoder, _ = vector_pair()
    reg = ACAIRegularizer(encoder, decoder)
    for network in (encoder, decoder, reg):
        replicate(network)
    parameters = [*encoder.parameters(), *decoder.parameters(), *reg.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        sum(reg(torch.randn(4, 1, 8, 8)).values()).backward()
        optimizer.step()
    assert is_equal_across_processes(parameters)


def test_a_replicated_regularizer_is_synchronised() -> None:
    spawn(train_replicated, WORLD)
