"""MMDPrior: it is what the function says, it trains, and it fails loudly."""

import pytest
import torch
from calls import trained
from torch import nn
from zoo import Zoo

from interpreg import MMDPrior
from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy
from interpreg.priors import Normal, Sphere


def identity(n: int, d: int, scale: float = 1.0) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    return nn.Identity(), nn.Identity(), scale * torch.randn(n, d)


def test_is_the_function_of_the_flattened_codes(zoo: Zoo) -> None:
    kernel = RBF((2.0, 5.0))
    codes = zoo.encoder.eval()(zoo.x)
    flat = codes.flatten(1) if codes.ndim > 1 else codes[:, None]
    ours = MMDPrior(zoo.encoder, zoo.decoder, kernel=kernel, weight=3.0)(zoo.x)
    torch.testing.assert_close(ours["mmd"], 3 * mmd2_to_prior(flat, kernel=kernel))


def test_training_brings_the_codes_to_the_prior() -> None:
    encoder, x = nn.Linear(3, 2), torch.randn(256, 3)
    encoder.weight.data.mul_(3)
    reg = MMDPrior(encoder, nn.Linear(2, 3), prior=Normal(mean=1.0, std=0.5))
    codes = trained(reg, x, 300)
    assert codes.mean(0).sub(1).abs().max() < 0.1
    assert codes.std(0).sub(0.5).abs().max() < 0.1
    assert torch.corrcoef(codes.T)[0, 1].abs() < 0.2


@pytest.mark.fault(
    "Numerics",
    "Each step draws other samples of the prior, whose noise is that of the loss.",
    now="closed forms, where prior and kernel have one",
)
@pytest.mark.parametrize("closed_form", [True, False])
def test_noise_of_the_closed_form_is_that_of_the_codes_alone(closed_form: bool) -> None:
    """The same codes twice give the same value in closed form, and another one against new samples."""
    encoder, decoder, x = identity(32, 4)
    reg = MMDPrior(encoder, decoder, closed_form=closed_form)
    assert (reg(x)["mmd"] == reg(x)["mmd"]) == closed_form


def test_priors_of_every_kind_and_a_generator() -> None:
    encoder, decoder, x = identity(32, 4)
    uniform = torch.distributions.Uniform(torch.zeros(4), torch.ones(4))
    for prior in ("ball", Sphere(2.0), uniform, lambda n: torch.rand(n, 2, 2)):
        assert MMDPrior(encoder, decoder, prior=prior, samples=50)(x)["mmd"].isfinite()
    values = []
    for _ in range(2):
        reg = MMDPrior(encoder, decoder, prior="sphere", generator=torch.Generator().manual_seed(5))
        values.append(reg(x)["mmd"])
    assert values[0] == values[1]
    samples = Sphere().sample(32, x, torch.Generator().manual_seed(5))
    torch.testing.assert_close(values[0], mmd2(x, samples, kernel=reg.kernel.resolved(1.0)))


@pytest.mark.parametrize(("arguments", "message"), [
    ({"estimator": "v"}, "estimator: expected one of 'unbiased'"),
    ({"sync": "all"}, "sync: expected one of 'global', 'local', got 'all'"),
    ({"backend": "keops"}, "backend: expected one of 'auto', 'reference'"),
    ({"samples": 1}, "samples: expected an int of at least 2, got 1"),
    ({"closed_form": "yes"}, "closed_form: expected 'auto', True or False, got 'yes'"),
    ({"closed_form": True, "prior": "ball"}, "closed_form: expected False or 'auto' without a normal prior"),
])  # fmt: skip
def test_bad_arguments_are_named(encoder, decoder, arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        MMDPrior(encoder, decoder, **arguments)


def test_one_code_is_too_few_before_any_network_is_called() -> None:
    calls = []

    def encoder(x: torch.Tensor) -> torch.Tensor:
        calls.append(x)
        return x

    with pytest.raises(ValueError, match="x: expected at least 2 samples for the unbiased MMD, got a batch of 1"):
        MMDPrior(encoder, encoder)(torch.randn(1, 3))
    assert not calls
    assert MMDPrior(encoder, encoder, estimator="biased")(torch.randn(1, 3))["mmd"] > 0


def test_sliced_and_linear_estimates_are_at_hand() -> None:
    encoder, decoder, x = identity(512, 3, 2.0)
    exact = MMDPrior(encoder, decoder, kernel=Energy())(x)["mmd"]
    sliced = MMDPrior(encoder, decoder, kernel=Energy(), estimator="sliced", slices=2000, samples=20_000)(x)["mmd"]
    torch.testing.assert_close(sliced, exact, rtol=0.1, atol=0)
    assert MMDPrior(encoder, decoder, estimator="linear")(x)["mmd"].isfinite()


def test_mmd_takes_each_valid_position_for_a_sample(sequences) -> None:
    encoder, decoder, x, mask = sequences
    ours = MMDPrior(encoder, decoder)(x, mask=mask)["mmd"]
    torch.testing.assert_close(ours, mmd2_to_prior(encoder.layers(x)[mask]), rtol=1e-4, atol=1e-6)
