"""How the smoothness term finds a method of differentiation that its decoder goes along with."""

import copy
import warnings
from functools import partial

import pytest
import torch
from calls import calls
from decoders import Residual, checkpointed, cubes, double, dropping
from processes import spawn
from torch import Tensor, nn
from zoo import batch_norm_pair

from interpreg import AlphaSmoothness


def test_the_trial_leaves_no_trace() -> None:
    encoder, decoder, x = batch_norm_pair()
    decoder.insert(0, nn.Dropout(0.2))
    twins = copy.deepcopy((encoder, decoder))
    values = []
    for pair, method in (((encoder, decoder), "auto"), (twins, "forward")):
        torch.manual_seed(5)
        loss = AlphaSmoothness(*pair, method=method)(x)["smoothness"]
        assert all(p.grad is None for network in pair for p in network.parameters())
        values.append((loss, torch.rand(3), *decoder.buffers()))
    torch.testing.assert_close(*values, rtol=0, atol=0)
    for one, other in zip(decoder.buffers(), twins[1].buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.fault(
    "Gradients",
    "A layer of the decoder under two names loses its Parameter to the trial of AEAI, and never trains again.",
    now="every parameter stays the same object, and trains",
)
@pytest.mark.parametrize("method", ["auto", "forward", "double-backward", "finite"])
def test_a_layer_under_two_names_keeps_its_parameters(method: str) -> None:
    class Repeated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.tied = nn.Linear(4, 4), nn.Linear(4, 4)
            self.net = nn.Sequential(self.first, nn.Tanh(), nn.BatchNorm1d(4), self.first, self.tied)
            self.tied.weight = self.first.weight

        def forward(self, z: Tensor) -> Tensor:
            return self.net(z)

    encoder, decoder, x = nn.Linear(4, 4), Repeated(), torch.randn(6, 4)
    before = dict(decoder.named_parameters(remove_duplicate=False))
    AlphaSmoothness(encoder, decoder, method=method)(x)["smoothness"].backward()
    after = dict(decoder.named_parameters(remove_duplicate=False))
    assert all(after[name] is before[name] and type(before[name]) is nn.Parameter for name in before)
    assert decoder.net[0] is decoder.net[3] is decoder.first
    assert decoder.first.weight.grad.norm() > 0


@pytest.mark.parametrize("method", ["auto", "finite"])
def test_a_decoder_behind_a_method_or_a_function_is_treated_as_the_module(method: str) -> None:
    """Its batch statistics change as in one pass, and the trial leaves no trace in them."""

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Linear(3, 4)
            self.decoder = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 3))

        def encode(self, x: Tensor) -> Tensor:
            return self.encoder(x)

        def decode(self, z: Tensor) -> Tensor:
            return self.decoder(z)

    one, x, results = Autoencoder(), torch.randn(6, 3), []
    for decode in (lambda ae: ae.decoder, lambda ae: ae.decode, lambda ae: lambda z: ae.decode(z)):
        ae = copy.deepcopy(one)
        torch.manual_seed(3)
        loss = AlphaSmoothness(ae.encode, decode(ae), method=method)(x)["smoothness"]
        results.append((loss, torch.rand(2), list(ae.buffers())))
    assert results[0][2][2] == 1  # batch counted
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=0)


def test_the_trial_takes_attributes_back() -> None:
    class Counting(nn.Linear):
        calls = 0

        def forward(self, z: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(z)

    decoder = Counting(4, 3)
    AlphaSmoothness(nn.Linear(3, 4), decoder)(torch.randn(6, 3))
    assert decoder.calls == 1


def test_the_trial_is_made_once(encoder, decoder, x) -> None:
    decoded, reg = calls(decoder), AlphaSmoothness(encoder, decoder)
    reg(x)
    assert len(decoded) > 1
    decoded.clear()
    reg(x), reg(x[:3])
    assert len(decoded) == 2


FALLBACKS = {
    "checkpointed": (checkpointed, "'forward' fails, CheckpointError"),
    "without forward mode": (cubes, "'forward' fails, RuntimeError: decoder: expected operations"),
    "custom operator": (lambda: Residual(double), "'forward' fails"),
    "silently dropped": (
        lambda: Residual(dropping),
        "'forward' disagrees with finite differences, as where an operation drops its tangent",
    ),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_auto_falls_back_and_says_so_once(name: str) -> None:
    (make, why), method = FALLBACKS[name], "double-backward"
    decoder, encoder, x = make(), nn.Linear(3, 4), torch.randn(6, 3)
    reg = AlphaSmoothness(encoder, decoder)
    torch.manual_seed(2)
    with pytest.warns(UserWarning, match=f"AlphaSmoothness uses method='{method}', because {why}") as seen:
        ours = reg(x)["smoothness"]
    assert len([each for each in seen if each.category is UserWarning]) == 1
    torch.manual_seed(2)
    torch.testing.assert_close(reg(x)["smoothness"], ours)  # a warning would be an error
    torch.manual_seed(2)
    torch.testing.assert_close(AlphaSmoothness(encoder, decoder, method=method)(x)["smoothness"], ours)
    torch.manual_seed(2)
    finite = AlphaSmoothness(encoder, decoder, method="finite")(x)["smoothness"]
    torch.testing.assert_close(finite, ours, rtol=1e-2, atol=1e-5)


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
    values = []
    for one in (reg, AlphaSmoothness(encoder, plain)):
        torch.manual_seed(2)
        of = [*one.decoder.parameters(), *encoder.parameters()]
        loss = one(x)["smoothness"]
        values.append(torch.autograd.grad(loss, of, allow_unused=True, materialize_grads=True))
    for one, other in zip(*values, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)


def test_a_decoder_with_a_generator_of_its_own_is_told_from_one_without() -> None:
    generator = torch.Generator().manual_seed(0)
    decoder = nn.Linear(4, 3)

    def noisy(z: Tensor) -> Tensor:
        h = decoder(z)
        return h + torch.randn(h.shape, generator=generator)

    encoder, x = nn.Linear(3, 4), torch.randn(6, 3)
    with pytest.raises(RuntimeError, match=r"not even finite differences work .*generator of its own, .* give"):
        AlphaSmoothness(encoder, noisy)(x)
    AlphaSmoothness(encoder, noisy, method="forward")(x)["smoothness"].backward()


def test_a_decoder_that_cannot_be_trained_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"decoder: expected one whose interpolants can be differentiated"):
        AlphaSmoothness(nn.Linear(3, 4), lambda z: z.data[:, :3])(torch.randn(6, 3))


@pytest.mark.fault(
    "Gradients",
    "A decoder compiled by itself has no gradient of its gradient (pytorch/pytorch#91469).",
    now='`method="auto"` takes another method and says so',
)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_decoder_that_is_compiled_by_itself(backend: str, encoder, decoder, x) -> None:
    twin = copy.deepcopy(decoder)
    values = []
    for network in (torch.compile(decoder, backend=backend), twin):
        reg = AlphaSmoothness(encoder, network)
        torch.manual_seed(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the way that was found
            loss = reg(x)["smoothness"]
        values.append((loss, torch.autograd.grad(loss, list(encoder.parameters()))))
    torch.testing.assert_close(values[0], values[1], rtol=1e-2, atol=1e-6)


def _wrapped_decoders(rank: int, world: int) -> None:
    parallel, compiled = nn.parallel.DistributedDataParallel, partial(torch.compile, backend="eager")
    wrappers = {
        "around": lambda decoder: nn.Sequential(parallel(decoder)),
        "compiled": lambda decoder: compiled(parallel(decoder)),
        "unused": lambda decoder: parallel(decoder, find_unused_parameters=True),
    }
    for name, wrap in wrappers.items():
        torch.manual_seed(0)
        decoder = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
        encoder, x = nn.Linear(3, 4), torch.randn(world, 6, 3)
        twin, expected = copy.deepcopy(decoder), []
        reg = AlphaSmoothness(encoder, wrap(decoder))
        for each in range(world):
            torch.manual_seed(each)
            loss = AlphaSmoothness(encoder, copy.deepcopy(twin), method="forward")
            value = loss(x[each])["smoothness"]
            expected.append(torch.autograd.grad(value, loss.decoder[0].weight)[0] / world)
        for _ in range(2):  # DistributedDataParallel raises at the second where a pass had no backward
            decoder.zero_grad()
            torch.manual_seed(rank)
            reg(x[rank])["smoothness"].backward()
        torch.testing.assert_close(decoder[0].weight.grad, sum(expected), rtol=1e-2, atol=1e-4)
        assert decoder[-1].bias.grad.norm() == 0, name


def test_wrappers_for_several_processes_wherever_they_are() -> None:
    spawn(_wrapped_decoders, 2)
