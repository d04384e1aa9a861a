"""The smoothness term: its value, what it shares, how its method is found, what it leaves behind."""

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from calls import calls
from decoders import Attention, Checkpointed, Cubes, Residual, double, dropping
from processes import leave, spawn
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from zoo import PAIRS, Zoo, batch_norm_pair, vector_pair

from interpreg import AlphaSmoothness, Critic, CycleConsistency, Interpolator

# torch's own, when it first looks for a rule of forward mode
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

STRATEGIES = {
    "ACAI's": Interpolator(),
    "grid": Interpolator(grid=3, alpha_range=(0.0, 1.0), pairing="permutation"),
    "spherical": Interpolator(kind="spherical"),
    "multidimensional": Interpolator(kind="multidimensional"),
}


def straight_smoothness(decoder: nn.Module, z: Tensor, strategy: Interpolator) -> Tensor:
    """The mean square of the derivative in alpha, by torch's own double backward through mixing and decoding."""
    mixed = strategy.sample(z)
    own = torch.cat([z] * (len(mixed.z_mix) // len(z)))
    alpha = mixed.alpha.detach().clone().requires_grad_()
    step = torch.zeros(len(own), *[1] * (own.ndim - 1), dtype=own.dtype)

    def decoded(step: Tensor) -> Tensor:
        return decoder(strategy.mix(own, mixed.z_partner, alpha + step))

    _, dx = torch.autograd.functional.jvp(decoded, step, torch.ones_like(step), create_graph=True)
    return (dx**2).mean()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", [name for name in PAIRS if name != "batch norm"])  # its oracle: test_derivative
def test_it_is_the_mean_square_of_the_derivative_in_alpha(name: str, strategy: str) -> None:
    encoder, decoder, x = PAIRS[name]()
    encoder, decoder, x = encoder.double(), decoder.double(), x.double()
    reg = AlphaSmoothness(encoder, decoder, interpolator=STRATEGIES[strategy], weight=0.3)
    trained = [*encoder.parameters(), *decoder.parameters()]
    torch.manual_seed(7)
    expected = straight_smoothness(decoder, encoder(x), STRATEGIES[strategy])
    torch.manual_seed(7)
    losses = reg(x)
    assert list(losses) == ["smoothness"]
    torch.testing.assert_close(losses["smoothness"], 0.3 * expected)
    torch.testing.assert_close(reg.unweighted["smoothness"], expected.detach())
    options = {"allow_unused": True, "materialize_grads": True}
    found = torch.autograd.grad(losses["smoothness"], trained, **options)
    torch.testing.assert_close(found, torch.autograd.grad(0.3 * expected, trained, **options))


def test_padding_has_no_say() -> None:
    encoder, decoder = (nn.Linear(3, 3).double() for _ in range(2))
    x, mask = torch.randn(4, 5, 3).double(), torch.arange(5) < torch.tensor([5, 2, 3, 4])[:, None]
    reg = AlphaSmoothness(lambda x, mask: encoder(x), lambda z, mask: decoder(z))
    found = reg(x, mask=mask)["smoothness"]
    valid = mask | mask.flip(0)
    change = encoder(x) - encoder(x).flip(0)
    torch.testing.assert_close(found, 0.1 * ((change @ decoder.weight.T)[valid] ** 2).mean())


@pytest.mark.parametrize("order", ["last", "first"])
def test_others_share_its_interpolants(order: str) -> None:
    encoder, decoder, x = vector_pair()
    strategy = Interpolator()
    parts = [Critic(encoder, decoder), CycleConsistency(encoder, decoder), AlphaSmoothness(encoder, decoder)]
    reg = sum(parts if order == "last" else parts[::-1], start=strategy)
    reg(x)  # when the method is found
    encoded, decoded = calls(encoder), calls(decoder)
    reg(x)
    assert (len(encoded), len(decoded)) == (
        2,
        2,
    )  # one of the decoder's is the reconstructions that the critic sees


def test_the_trial_leaves_no_trace() -> None:
    encoder, decoder, x = batch_norm_pair()
    decoder.insert(0, nn.Dropout(0.2))
    twins = copy.deepcopy((encoder, decoder))
    found = []
    for pair, method in (((encoder, decoder), "auto"), (twins, "forward")):
        torch.manual_seed(5)
        loss = AlphaSmoothness(*pair, method=method)(x)["smoothness"]
        assert all(p.grad is None for network in pair for p in network.parameters())
        found.append((loss, torch.rand(3), *decoder.buffers()))
    torch.testing.assert_close(*found, rtol=0, atol=0)
    for one, other in zip(decoder.buffers(), twins[1].buffers(), strict=True):
        assert torch.equal(one, other)


def test_the_trial_is_made_once() -> None:
    encoder, decoder, x = vector_pair()
    decoded, reg = calls(decoder), AlphaSmoothness(encoder, decoder)
    reg(x)
    assert len(decoded) > 1
    decoded.clear()
    reg(x), reg(x[:3])
    assert len(decoded) == 2


FALLBACKS = {
    "checkpointed": (Checkpointed, "double-backward", "'forward' fails, CheckpointError"),
    "without forward mode": (
        Cubes,
        "double-backward",
        "'forward' fails, RuntimeError: decoder: expected operations",
    ),
    "custom operator": (lambda: Residual(double), "double-backward", "'forward' fails"),
    "silently dropped": (
        lambda: Residual(dropping),
        "double-backward",
        "'forward' disagrees with finite differences, as where an operation drops its tangent",
    ),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_auto_falls_back_and_says_so_once(name: str) -> None:
    make, method, why = FALLBACKS[name]
    decoder, encoder, x = make(), nn.Linear(3, 4), torch.randn(6, 3)
    reg = AlphaSmoothness(encoder, decoder)
    torch.manual_seed(2)
    with pytest.warns(UserWarning, match=f"AlphaSmoothness uses method='{method}', because {why}") as seen:
        found = reg(x)["smoothness"]
    assert len([each for each in seen if each.category is UserWarning]) == 1
    torch.manual_seed(2)
    torch.testing.assert_close(reg(x)["smoothness"], found)  # a warning would be an error
    torch.manual_seed(2)
    torch.testing.assert_close(AlphaSmoothness(encoder, decoder, method=method)(x)["smoothness"], found)
    torch.manual_seed(2)
    finite = AlphaSmoothness(encoder, decoder, method="finite")(x)["smoothness"]
    torch.testing.assert_close(finite, found, rtol=1e-2, atol=1e-5)


def test_finite_differences_where_nothing_else_goes_through() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(context, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            return x.sin()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(context, gradient: Tensor) -> Tensor:
            return context.saved_tensors[0].cos() * gradient

    encoder, decoder, x = nn.Linear(3, 4), Residual(Once.apply), torch.randn(6, 3)
    reg, plain = AlphaSmoothness(encoder, decoder), Residual(torch.sin)
    plain.load_state_dict(decoder.state_dict())
    with pytest.warns(
        UserWarning, match="AlphaSmoothness uses method='finite', because 'forward' fails, .*'double-b"
    ):
        reg(x)
    found = []
    for one in (reg, AlphaSmoothness(encoder, plain)):
        torch.manual_seed(2)
        of = [*one.decoder.parameters(), *encoder.parameters()]
        loss = one(x)["smoothness"]
        found.append(torch.autograd.grad(loss, of, allow_unused=True, materialize_grads=True))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)


def test_a_decoder_with_a_generator_of_its_own_is_told_from_one_without() -> None:
    generator = torch.Generator().manual_seed(0)
    decoder = nn.Linear(4, 3)

    def noisy(z: Tensor) -> Tensor:
        h = decoder(z)
        return h + torch.randn(h.shape, generator=generator)

    encoder, x = nn.Linear(3, 4), torch.randn(6, 3)
    with pytest.raises(RuntimeError, match=r"not even finite differences work .*generator of its own, say which"):
        AlphaSmoothness(encoder, noisy)(x)
    AlphaSmoothness(encoder, noisy, method="forward")(x)["smoothness"].backward()


def test_a_decoder_that_cannot_be_trained_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"decoder: expected one whose interpolants can be differentiated"):
        AlphaSmoothness(nn.Linear(3, 4), lambda z: z.data[:, :3])(torch.randn(6, 3))


def test_an_explicit_method_is_used_and_explained() -> None:
    encoder, decoder, x = nn.Linear(3, 4), Cubes(), torch.randn(6, 3)
    with pytest.raises(RuntimeError, match=r"got one without; use method='double-backward' or method='finite'"):
        AlphaSmoothness(encoder, decoder, method="forward")(x)
    decoded = calls(decoder)
    AlphaSmoothness(encoder, decoder, method="double-backward")(x)
    assert len(decoded) == 1
    AlphaSmoothness(encoder, decoder, method="finite")(x)
    assert len(decoded) == 4


def test_evaluation_needs_no_gradients() -> None:
    encoder, decoder, x = vector_pair()
    reg = AlphaSmoothness(encoder, decoder).eval()
    found = []
    for context in (torch.inference_mode(), torch.no_grad(), torch.enable_grad()):
        torch.manual_seed(2)
        with context:
            found.append(reg(x)["smoothness"].item())
    assert found == pytest.approx([found[-1]] * 3, rel=1e-3)
    assert found[1] == found[2]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_decoder_that_is_compiled_by_itself(backend: str) -> None:
    encoder, decoder, x = vector_pair()  # smooth, so that finite differences are as good as any
    twin = copy.deepcopy(decoder)
    found = []
    for network in (torch.compile(decoder, backend=backend), twin):
        reg = AlphaSmoothness(encoder, network)
        torch.manual_seed(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the way that was found
            loss = reg(x)["smoothness"]
        found.append((loss, torch.autograd.grad(loss, list(encoder.parameters()))))
    torch.testing.assert_close(found[0], found[1], rtol=1e-2, atol=1e-6)


def test_attention_compiled_whole_has_the_eager_gradients() -> None:
    encoder, decoder, x = nn.Linear(4, 4), Attention(), torch.randn(6, 3, 4)
    reg = AlphaSmoothness(encoder, decoder)
    trained = [*encoder.parameters(), *decoder.parameters()]
    found = []
    for run in (reg, torch.compile(reg, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(2)
        loss = run(x)["smoothness"]
        found.append(torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True))
    torch.testing.assert_close(found[1], found[0])


def test_bad_input(pair: Zoo) -> None:
    pair_of = (pair.encoder, pair.decoder)
    with pytest.raises(
        ValueError, match=r"interpolator: expected one with a path from code to code, got kind='bern"
    ):
        AlphaSmoothness(*pair_of, interpolator=Interpolator(kind="bernoulli"))
    encoded = calls(pair.encoder)
    with pytest.raises(
        ValueError, match=r"interpolator: expected one with a path from code to code, got kind='bern"
    ):
        (Interpolator(kind="bernoulli") + AlphaSmoothness(*pair_of))(pair.x)
    with pytest.raises(ValueError, match=r"x: expected a batch of at least 2 samples"):
        AlphaSmoothness(*pair_of)(pair.x[:1])
    assert not encoded
    with pytest.raises(
        ValueError, match=r"method: expected one of 'auto', 'forward', 'double-backward', 'finite'"
    ):
        AlphaSmoothness(*pair_of, method="jvp")
    with pytest.raises(TypeError, match=r"interpolator: expected an Interpolator, got 'linear'"):
        AlphaSmoothness(*pair_of, interpolator="linear")
    with pytest.raises(ValueError, match=r"weight: expected a finite number of at least 0"):
        AlphaSmoothness(*pair_of, weight=-1.0)


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone, left when the test's wrappers are gone."""
    distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    leave()


def gradients(pair: tuple[nn.Module, nn.Module], rank: int, method: str) -> list[Tensor]:
    """The gradients of two accumulated steps on a rank's batch."""
    strategy = Interpolator(generator=torch.Generator().manual_seed(rank))
    reg = AlphaSmoothness(*pair, interpolator=strategy, method=method)
    x = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(rank)).double()
    for _ in range(2):
        sum(reg(x).values()).backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for network in pair for p in network.parameters()]


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    encoder, decoder, _ = vector_pair()
    return encoder.double(), decoder.double()


def work(rank: int, world: int, folder: str, method: str) -> None:
    encoder, decoder = (DistributedDataParallel(network) for network in networks())
    torch.save(gradients((encoder, decoder), rank, method), f"{folder}/{rank}.pt")


@pytest.mark.parametrize("method", ["auto", "double-backward"])
def test_gradients_are_exactly_the_mean_over_processes(tmp_path: Path, method: str) -> None:
    spawn(work, 2, str(tmp_path), method)
    alone = [gradients(networks(), rank, method) for rank in range(2)]
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for found, *own in zip(together, *alone, strict=True):
            torch.testing.assert_close(found, sum(own) / 2, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("method", ["auto", "forward", "double-backward", "finite"])
def test_wrapped_networks_go_on_step_after_step(method: str) -> None:
    """Parameters without a gradient would make the second step fail."""
    expected = gradients(networks(), 0, method)
    encoder, decoder = networks()
    wrapped = DistributedDataParallel(decoder)
    decoded = calls(wrapped)
    found = gradients((DistributedDataParallel(encoder), wrapped), 0, method)
    assert len(decoded) == (6 if method == "finite" else 2)  # and not for the trial
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("process_group")
@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module")  # the test's decoder ends in a view
def test_a_sharded_decoder_is_differentiated_by_differences() -> None:
    expected = gradients(networks(), 0, "finite")
    encoder, decoder = networks()
    for network in (encoder, decoder):
        fully_shard(network, mesh=init_device_mesh("cpu", (1,)))
    with pytest.warns(
        UserWarning, match="uses method='finite', because its parameters are sharded over processes"
    ):
        found = gradients((encoder, decoder), 0, "auto")
    for one, plain in zip(found, expected, strict=True):
        whole = one.full_tensor() if hasattr(one, "full_tensor") else one
        torch.testing.assert_close(whole, plain, rtol=1e-10, atol=1e-12)
