"""Priors: moments, radii, spreads, and samplers of one's own."""

import math

import pytest
import torch

from interpreg.functional import mmd2_to_prior
from interpreg.priors import Ball, Normal, Prior, Sampler, Sphere, as_prior

MANY = 40_000
PRIORS = [Normal(), Normal(-1.5, 0.3), Ball(), Ball(2.5), Sphere(), Sphere(0.2)]


def draw(prior: Prior, n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return prior.sample(n, torch.empty(1, d, dtype=dtype), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_moments_and_spread(prior: Prior, d: int) -> None:
    z = draw(prior, MANY, d)
    variance = {
        Normal: lambda: prior.std**2, Ball: lambda: prior.radius**2 / (d + 2), Sphere: lambda: prior.radius**2 / d,
    }[type(prior)]()  # fmt: skip
    mean = prior.mean if isinstance(prior, Normal) else 0.0
    error = 5 * math.sqrt(variance / MANY)
    assert (z.mean(0) - mean).abs().max() < error
    covariance = torch.atleast_2d(z.T.cov())
    assert (covariance - variance * torch.eye(d)).abs().max() < 5 * math.sqrt(2 / MANY) * variance
    halves = (z[::2] - z[1::2]).square().sum(1) / 2
    spread = prior.spread(d)
    error = 5 * (halves.std() / math.sqrt(MANY / 2)).item() + 1e-9
    assert spread**2 == pytest.approx(halves.mean().item(), abs=error)


@pytest.mark.parametrize("d", [1, 2, 30])
def test_radii(d: int) -> None:
    assert torch.allclose(draw(Sphere(3.0), 500, d).norm(dim=1), torch.tensor(3.0).double())
    radii = draw(Ball(3.0), MANY, d).norm(dim=1)
    assert radii.max() <= 3
    # uniform in the ball: the share within r is (r / R)^d
    for share, spread in ((0.5, 0.5), (0.1, 0.3)):
        within = (radii <= 3 * share ** (1 / d)).double().mean().item()
        assert within == pytest.approx(share, abs=5 * spread / math.sqrt(MANY))


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_samples_are_like_the_codes_and_repeat_with_their_generator(prior: Prior) -> None:
    z = draw(prior, 6, 4, dtype=torch.float32)
    assert (z.shape, z.dtype, draw(prior, 6, 4).dtype) == ((6, 4), torch.float32, torch.float64)
    assert torch.equal(z, draw(prior, 6, 4, dtype=torch.float32))
    assert not torch.equal(z, draw(prior, 6, 4, seed=1, dtype=torch.float32))
    torch.manual_seed(3)
    once = prior.sample(2, z)
    torch.manual_seed(3)
    assert torch.equal(once, prior.sample(2, z))


def test_names() -> None:
    assert (as_prior("normal"), as_prior("ball")) == (Normal(0.0, 1.0), Ball(1.0))
    assert as_prior("sphere") == Sphere(1.0)
    assert as_prior(own := Ball(2.0)) is own


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1, 1)])
def test_samplers_of_your_own(shape: tuple[int, ...]) -> None:
    asked = []

    def sampler(n: int) -> torch.Tensor:
        asked.append(n)
        return torch.arange(n * 3.0).reshape(n, *shape).requires_grad_()

    z = as_prior(sampler).sample(4, torch.empty(1, 3, dtype=torch.float64))
    assert asked == [4]
    assert not z.requires_grad
    assert torch.equal(z, torch.arange(12.0, dtype=torch.float64).reshape(4, 3))
    assert Sampler(sampler).spread(3) is None


@pytest.mark.parametrize("distribution", [
    torch.distributions.MultivariateNormal(torch.ones(2), 4 * torch.eye(2)),
    torch.distributions.Independent(torch.distributions.Normal(torch.ones(2), 2.0), 1),
    torch.distributions.Normal(torch.ones(2), 2.0),
], ids=lambda distribution: type(distribution).__name__)  # fmt: skip
def test_torch_distributions(distribution: torch.distributions.Distribution) -> None:
    z = as_prior(distribution).sample(MANY, torch.empty(1, 2))
    assert z.shape == (MANY, 2)
    assert (z.mean(0) - 1).abs().max() < 5 * 2 / math.sqrt(MANY)
    assert (z.std(0) - 2).abs().max() < 5 * 2 / math.sqrt(2 * MANY)


def test_scalar_samples_are_codes_of_one_coordinate() -> None:
    z = as_prior(torch.distributions.Uniform(2.0, 3.0)).sample(10, torch.empty(1, 1))
    assert z.shape == (10, 1)
    assert ((z >= 2) & (z <= 3)).all()


def test_a_sampler_asked_for_fewer_or_more_samples_than_codes() -> None:
    asked = []

    def sampler(n: int) -> torch.Tensor:
        asked.append(n)
        return torch.randn(n, 3)

    x = torch.randn(8, 3)
    mmd2_to_prior(x, prior=sampler)
    mmd2_to_prior(x, prior=sampler, samples=21)
    assert asked == [8, 21]


@pytest.mark.parametrize(("prior", "error", "message"), [
    ("gaussian", ValueError, r"prior: expected one of 'ball', 'normal', 'sphere', got 'gaussian'"),
    (3, TypeError, r"prior: expected a name, a Prior, .*, got 3"),
    (None, TypeError, r"prior: expected a name, a Prior, .*, got None"),
    (Normal, TypeError, r"prior: expected a name, a Prior, .*, got the class Normal"),
    (lambda n: torch.randn(n + 1, 3), ValueError, r"prior samples: expected a batch of 5 samples, .*\(6, 3\)"),
    (lambda n: torch.randn(n, 2), ValueError, r"prior samples: expected 3 elements a sample, .*\(5, 2\)"),
    (lambda n: torch.ones(n, 3).long(), TypeError, r"prior samples: expected a floating point tensor, got"),
    (lambda n: [0.0] * n, TypeError, r"prior samples: expected a tensor, got a list of length 5"),
])  # fmt: skip
def test_what_is_no_prior(prior: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mmd2_to_prior(torch.randn(5, 3), prior=prior)
    with pytest.raises(ValueError, match="generator: expected None with a sampler of your own"):
        mmd2_to_prior(torch.randn(5, 3), prior=lambda n: torch.randn(n, 3), generator=torch.Generator())


@pytest.mark.parametrize(("number", "error"), [(0, ValueError), (-1.0, ValueError), ("1", TypeError)])
def test_sizes_and_means_that_are_no_numbers(number: object, error: type[Exception]) -> None:
    for kind in (Ball, Sphere, lambda radius: Normal(0.0, radius)):
        with pytest.raises(error, match=r"^(radius|std): expected a .*number.*, got"):
            kind(number)
    for mean, wrong in ((math.inf, ValueError), (math.nan, ValueError), (None, TypeError)):
        with pytest.raises(wrong, match=r"^mean: expected a .*number.*, got"):
            Normal(mean)
