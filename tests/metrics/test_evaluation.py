"""Networks that are measured: in eval mode whatever they are called through, and left as they were."""

import dataclasses
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from interpreg.metrics import admissibility, error_by_interval, frechet_distance, perceptual_path_length
from interpreg.metrics._evaluation import check_output, device_of, evaluating

X = torch.linspace(-2, 3, 16 * 4).view(16, 4).sin()


class Autoencoder(nn.Module):
    """With batch statistics, dropout, and a buffer that counts calls in every mode."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.register_buffer("calls", torch.zeros(()))

    def encode(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.net(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x)


class Hidden:
    """A callable behind which no search finds the module."""

    def __init__(self, module: nn.Module) -> None:
        self.shelf = {"modules": [[module]]}

    def __call__(self, x: Tensor) -> Tensor:
        return self.shelf["modules"][0][0](x)


CALLABLES: dict[str, Callable[[Autoencoder], Callable[[Tensor], Tensor]]] = {
    "module": lambda ae: ae,
    "bound method": lambda ae: ae.encode,
    "lambda": lambda ae: lambda x: ae.encode(x),
    "partial": lambda ae: partial(Autoencoder.encode, ae),
    "forward": lambda ae: ae.forward,
    "compiled": lambda ae: torch.compile(ae.net, backend="eager", fullgraph=True),
    "compiled method": lambda ae: torch.compile(ae.encode, backend="eager"),
    "scripted": lambda ae: torch.jit.script(ae.net),
    "hidden": Hidden,
    "lambda of a hidden one": lambda ae: (lambda hidden: lambda x: hidden(x))(Hidden(ae.net)),
    "hidden and compiled": lambda ae: Hidden(torch.compile(ae.net, backend="eager")),
}


@pytest.mark.fault(
    "Reports and files",
    "A report or a measure is given `ae.encode`, a lambda, a partial or another callable around a module in training "
    "mode (huggingface/diffusers#10614).",
    now="it is measured in eval mode; modes and buffers are then as before",
)
@pytest.mark.parametrize("kind", CALLABLES)
def test_networks_are_evaluated_and_left_as_they_were(kind: str) -> None:
    torch.manual_seed(0)
    ae = Autoencoder()
    network = CALLABLES[kind](ae)
    layer, norm = ae.net[0], ae.net[1]
    # of batch normalisation with its first statistics, mean 0 and variance 1
    expected = layer(X).detach() / (1 + norm.eps) ** 0.5
    before = {name: value.clone() for name, value in ae.state_dict().items()}
    for _ in range(2):
        with evaluating(network), torch.no_grad():
            found = network(X)
        torch.testing.assert_close(found, expected)
        assert all(torch.equal(value, before[name]) for name, value in ae.state_dict().items())
        assert all(module.training for module in ae.modules())


def test_modes_come_back_one_by_one_after_an_error_too() -> None:
    ae = Autoencoder()
    ae.net[1].eval()
    modes = [m.training for m in ae.modules()]
    with pytest.raises(RuntimeError), evaluating(ae.encode):
        ae(X[:, :3])
    assert [m.training for m in ae.modules()] == modes
    assert ae.calls == 0
    ae.net[2].train()
    assert not torch.equal(ae(X), ae(X))  # no hook is left


def test_an_overridden_train_is_not_called() -> None:
    class Converting(nn.Linear):
        def train(self, mode: bool = True) -> "Converting":
            raise AssertionError("weights would be converted")

    with evaluating(network := Converting(4, 4)):
        assert not network.training
    assert network.training


@pytest.mark.fault(
    "Reports and files",
    "A network was traced in training mode, so that `eval()` does not change it.",
    now="a warning that results depend on the batch; its statistics are as before",
)
def test_a_network_traced_in_training_mode_is_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's own
        traced = torch.jit.trace(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), X)
    before = {name: value.clone() for name, value in traced.state_dict().items()}
    with pytest.warns(UserWarning, match=r"traced in training mode.*trace it after eval\(\)"), evaluating(traced):
        traced(X)
    assert all(torch.equal(value, before[name]) for name, value in traced.state_dict().items())


def test_every_measure_evaluates() -> None:
    """Each has the value that it has in eval mode, in training mode."""
    torch.manual_seed(0)
    ae = Autoencoder()
    ends, views = (X[:8], X[8:]), X.view(1, 16, 4)
    paths = torch.stack([ends[0], (ends[0] + ends[1]) / 2, ends[1]], dim=1)
    measures: dict[str, Callable[[], object]] = {
        "path length": lambda: perceptual_path_length(
            ae.encode, *ends, features=Hidden(ae), generator=torch.Generator().manual_seed(0)
        ),
        "Frechet": lambda: frechet_distance(X, X + 1, features=ae.encode),
        "by interval": lambda: error_by_interval(ae.encode, ae, views, images=[3, 4]).mean,
        "distance": lambda: admissibility(
            paths, *ends, distance=lambda a, b: (ae.encode(a) - ae.encode(b)).norm(dim=1)
        ),
    }
    for name, measure in measures.items():
        ae.eval()
        expected = measure()
        ae.train()
        assert str(measure()) == str(expected), name
    assert ae.calls == 0


class Pair(NamedTuple):
    z: Tensor
    scale: Tensor


@dataclasses.dataclass
class Output:
    name: str
    latents: Tensor


OUTPUTS = [
    ((X, X), "a tuple of length 2; if it is a mean and a log variance, give GaussianBottleneck(encoder), see scale=; "
     "else lambda x: encoder(x)[0] or lambda x: encoder(x)[1]"),
    ([3, X], "give a function of the code alone, encoder=lambda x: encoder(x)[1]"),
    (Pair(X, X), "else lambda x: encoder(x).z or lambda x: encoder(x).scale"),
    (Output("a", X), "an Output; give a function of the code alone, encoder=lambda x: encoder(x).latents"),
    ({"kl": 3, "latent": X}, "a dict; give a function of the code alone, encoder=lambda x: encoder(x)['latent']"),
    (torch.distributions.Normal(X, 1.0), "else lambda x: encoder(x).rsample()"),
    (None, "encoder: expected a tensor, got None"),
]  # fmt: skip


@pytest.mark.parametrize(("output", "message"), OUTPUTS, ids=lambda each: type(each).__name__)
def test_outputs_that_are_no_tensor_are_named_with_the_part_to_give(output: object, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_output("encoder", output)
    assert message in str(caught.value)
    with pytest.raises(TypeError, match="features: expected a tensor, got") as caught:
        check_output("features", output)
    assert "Gaussian" not in str(caught.value)


def test_devices_are_found_behind_callables() -> None:
    home, meta = torch.device("cpu"), torch.device("meta")
    network = nn.Linear(2, 2, device=meta)
    assert device_of(lambda x: network(x), home) == meta
    assert device_of(nn.BatchNorm1d(2, affine=False, device=meta), home) == meta  # buffers alone
    assert device_of(lambda x: x, home) == home
