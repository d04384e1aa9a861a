"""Gaussian bottlenecks: the posterior, its samples, and the ways of saying it."""

from collections import namedtuple

import pytest
import torch
from calls import seeded
from torch import nn
from torch.distributions import (
    Bernoulli,
    Independent,
    Laplace,
    LogNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from wrapped import Scale, variational
from zoo import convolutional_pair

from interpreg import GaussianBottleneck, KLPrior
from interpreg.bottlenecks import Posterior


def test_a_sample_is_the_mean_plus_the_spread_times_noise(network, x) -> None:
    head = Scale()
    encoder = GaussianBottleneck(network, heads=(nn.Identity(), head))
    z = seeded(encoder, x)
    h = network(x)
    torch.manual_seed(3)
    noise = torch.randn(6, 4)
    torch.testing.assert_close(z, h + torch.exp(0.5 * head(h)) * noise)
    note = encoder.take_aux()
    assert isinstance(note, Posterior)
    assert torch.equal(note.mean, h)
    assert torch.equal(note.log_variance, head(h))


def test_eval_mode_gives_the_mean_unless_always_sampled(network, x) -> None:
    encoder = variational(network).eval()
    assert torch.equal(encoder(x), network(x))
    always = variational(network, sample="always")
    trained = seeded(always, x)
    assert torch.equal(seeded(always.eval(), x), trained)
    assert not torch.equal(trained, network(x))


def test_the_three_ways_of_saying_a_posterior_agree() -> None:
    x = torch.randn(5, 3, 4, 4)
    network = nn.Conv2d(3, 6, 1)
    pair = GaussianBottleneck(lambda x: tuple(network(x).chunk(2, 1)))
    halves = GaussianBottleneck(network)
    heads = (nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    for half, head in enumerate(heads):
        head.weight.data = network.weight[3 * half : 3 * half + 3].data
        head.bias.data = network.bias[3 * half : 3 * half + 3].data
    headed = GaussianBottleneck(nn.Identity(), heads=heads)
    for encoder in (pair, headed):
        torch.testing.assert_close(seeded(encoder, x), seeded(halves, x))
    sequences = GaussianBottleneck(nn.Linear(4, 10), axis=-1)
    assert sequences(x).shape == (5, 3, 4, 5)


def test_dense_heads_are_the_published_ones() -> None:
    network, _, x = convolutional_pair()
    encoder = GaussianBottleneck.dense(network, (4, 2, 2), sample="always")
    assert encoder.sample == "always"
    layers = [encoder.mean_head[1], encoder.log_variance_head[1]]
    z = seeded(encoder, x)
    flat = network(x).reshape(6, 16)
    mean, log_variance = (flat @ layer.weight.T for layer in layers)  # biases are 0
    torch.manual_seed(3)
    expected = mean + (0.5 * log_variance).exp() * torch.randn(6, 4, 2, 2).reshape(6, 16)
    torch.testing.assert_close(z.reshape(6, 16), expected)
    for layer in layers:
        assert (layer.bias == 0).all()
        assert layer.weight.abs().max() <= (6 / 32) ** 0.5  # Glorot-uniform of 16 to 16
        assert layer.weight.abs().max() > 0.9 * (6 / 32) ** 0.5


@pytest.mark.parametrize("log_variance", [-9.1, 12.3, 22.0])
def test_a_sample_in_half_precision_is_rounded_once(log_variance: float) -> None:
    """In fp16 the spread would be rounded, or overflow, before it is multiplied with the noise."""
    encoder = GaussianBottleneck(lambda x: (x, torch.full_like(x, log_variance)))
    x = torch.randn(64, 2).half()
    z = seeded(encoder, x)
    torch.manual_seed(3)
    noise = torch.randn(64, 2)
    expected = x.float() + torch.full_like(x, log_variance).float().div(2).exp() * noise
    assert torch.equal(z, expected.half())


X = torch.randn(2, 3)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: GaussianBottleneck(nn.Identity(), heads=nn.Identity()), TypeError, "heads: expected two modules"),
    (lambda: GaussianBottleneck(nn.Identity(), heads=(1, 2)), TypeError, "heads: expected two modules"),
    (lambda: GaussianBottleneck(nn.Identity(), axis=0), ValueError, "axis: expected an int other than 0"),
    (lambda: GaussianBottleneck(nn.Identity(), axis=1.0), ValueError, "axis: expected an int other than 0"),
    (lambda: GaussianBottleneck(nn.Identity(), scale="sigma"), ValueError,
     "scale: expected one of 'log_variance', 'log_std', 'std', 'variance', got 'sigma'"),
    (lambda: GaussianBottleneck(lambda x: (x, x[:1]), scale="std")(X), ValueError, "std: expected the shape of the"),
    (lambda: GaussianBottleneck(nn.Identity(), sample="never"), ValueError,
     "sample: expected one of 'training', 'always', got 'never'"),
    (lambda: GaussianBottleneck.dense(nn.Identity(), 4), TypeError, "code_shape: expected"),
    (lambda: GaussianBottleneck.dense(nn.Identity(), ()), TypeError, "code_shape: expected"),
    (lambda: GaussianBottleneck.dense(nn.Identity(), (4, 0)), ValueError, "code_shape: expected"),
    (lambda: GaussianBottleneck(nn.Linear(3, 3))(X), ValueError,
     r"even number .* along axis 1, .* shape \(2, 3\); return"),
    (lambda: GaussianBottleneck(nn.Flatten(0))(X), ValueError, r"even number .* along axis 1, .* shape \(6,\)"),
    (lambda: GaussianBottleneck(lambda x: (x, x, x))(X), ValueError,
     "network: expected two tensors, got a tuple of length 3"),
    (lambda: GaussianBottleneck(lambda x: (x, x[:1]))(X), ValueError, "log_variance: expected the shape of the mean"),
    (lambda: GaussianBottleneck(lambda x: (x, x.long()))(X), TypeError,
     "log_variance: expected a floating point tensor"),
])  # fmt: skip
def test_wrong_arguments_shapes_and_posteriors_are_named(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


SCALES = {
    "log_variance": lambda std: 2 * std.log(),
    "log_std": torch.log,
    "std": lambda std: std,
    "variance": torch.square,
}


@pytest.mark.fault(
    "Bottlenecks",
    "An encoder returns a mean and a standard deviation, or a variance, which looks like a mean and a log variance.",
    now="the right KL with `scale=`; a `Normal` needs none",
)
@pytest.mark.parametrize("scale", SCALES)
def test_the_scale_beside_the_mean_may_be_any_of_four(scale: str) -> None:
    x, std = torch.randn(6, 4), 0.1 + torch.rand(6, 4)
    encoder = GaussianBottleneck(lambda x: (x, SCALES[scale](std)), scale=scale)
    torch.manual_seed(3)
    noise = torch.randn(6, 4)
    torch.testing.assert_close(seeded(encoder, x), x + std * noise)
    expected = kl_divergence(Normal(x, std), Normal(torch.zeros(()), 1.0)).sum() / x.numel()
    torch.testing.assert_close(KLPrior(encoder, nn.Identity())(x)["kl"], expected)


@pytest.mark.parametrize("output", [
    lambda mean, std: Normal(mean, std), lambda mean, std: Independent(Normal(mean, std), 1),
    lambda mean, std: Independent(Independent(Normal(mean, std), 1), 0),
])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"scale": "std"}])
def test_a_normal_is_what_it_says(output, options: dict) -> None:
    layer, x = nn.Linear(5, 8), torch.randn(6, 5)

    def normal(x: torch.Tensor) -> object:
        mean, h = layer(x).chunk(2, 1)
        return output(mean, nn.functional.softplus(h))

    encoder = GaussianBottleneck(normal, **options)
    mean, h = layer(x).chunk(2, 1)
    posterior = Normal(mean, nn.functional.softplus(h))
    expected = kl_divergence(posterior, Normal(torch.zeros(()), 1.0)).sum() / x.numel()
    loss = KLPrior(encoder, nn.Linear(4, 5))(x)["kl"]
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(
        torch.autograd.grad(loss, [*layer.parameters()]),
        torch.autograd.grad(expected, [*layer.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(encoder.eval()(x), mean)
    encoder.passthrough = True
    torch.testing.assert_close(encoder(x), mean)


@pytest.mark.parametrize("other", [
    Laplace(X, X.exp()), MultivariateNormal(X, torch.eye(3)), Independent(Bernoulli(logits=X), 1),
    LogNormal(X, X.exp()),
])  # fmt: skip
def test_other_distributions_are_refused_by_name(other: torch.distributions.Distribution) -> None:
    name = "Bernoulli" if isinstance(other, Independent) else type(other).__name__
    with pytest.raises(TypeError, match=f"network: expected a Normal, .* got a {name}"):
        GaussianBottleneck(lambda x: other)(X)


def test_scales_in_half_precision_are_converted_in_fp32() -> None:
    std = torch.full((64, 2), 1e-3).half()
    encoder = GaussianBottleneck(lambda x: (x, std), scale="std")
    x = torch.zeros(64, 2).half()
    torch.manual_seed(3)
    expected = std.float() * torch.randn(64, 2)
    assert torch.equal(seeded(encoder, x), expected.half())


@pytest.mark.fault(
    "Bottlenecks",
    "A named tuple has another order, `(logvar, mean)`, or another spread, `(mean, std)`, than it is read in.",
    now="`ValueError` from its names",
)
@pytest.mark.parametrize(("names", "scale", "message"), [
    ("logvar mean", "log_variance", "return the mean first"),
    ("sigma mu", "std", "return the mean first"),
    ("mean std", "log_variance", "give scale='std'"),
    ("loc log_std", "log_variance", "give scale='log_std'"),
    ("mu log_var", "std", "give scale='log_variance'"),
    ("mu log_var", "log_variance", None),
    ("mean scale", "std", None),
    ("first second", "variance", None),
])  # fmt: skip
def test_names_of_a_named_tuple_are_believed(names: str, scale: str, message: str | None) -> None:
    kind = namedtuple("Output", names)
    encoder = GaussianBottleneck(lambda x: kind(x, x.exp()), scale=scale)
    if message is None:
        torch.testing.assert_close(encoder.eval()(torch.ones(2, 3)), torch.ones(2, 3))
    else:
        with pytest.raises(ValueError, match=rf"^network: expected a mean and a {scale}, .*{message}"):
            encoder(torch.ones(2, 3))
