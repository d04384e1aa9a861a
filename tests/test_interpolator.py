"""Interpolators: laws of the coefficients, the partners and the paths."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from zoo import Zoo

from interpreg import Interpolator

SHAPES = [(6,), (6, 5), (6, 3, 4), (6, 3, 4, 4)]
KINDS = ["linear", "multidimensional", "spherical", "bernoulli", "convex"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_mixes_codes_of_every_rank(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    z_mix, alpha, z_partner, _ = Interpolator(kind=kind).sample(z)
    assert z_mix.shape == z_partner.shape == z.shape
    assert torch.broadcast_shapes(alpha.shape, z.shape) == z.shape
    assert alpha.ndim == z.ndim
    assert ((alpha >= 0) & (alpha <= 1)).all()


@pytest.mark.parametrize("kind", ["linear", "multidimensional", "bernoulli"])
def test_a_mixed_code_is_what_its_coefficient_and_partner_say(kind: str) -> None:
    z = torch.randn(6, 3, 4, 4)
    z_mix, alpha, z_partner, _ = Interpolator(kind=kind).sample(z)
    torch.testing.assert_close(z_mix, alpha * z + (1 - alpha) * z_partner)


def test_one_coefficient_a_sample_or_one_an_element() -> None:
    z = torch.randn(6, 3, 4, 4)
    assert Interpolator().sample(z).alpha.shape == (6, 1, 1, 1)
    assert Interpolator(kind="multidimensional").sample(z).alpha.shape == z.shape
    assert Interpolator(kind="bernoulli").sample(z).alpha.shape == (6, 3, 1, 1)
    assert Interpolator(kind="bernoulli", grain="element").sample(z).alpha.shape == z.shape


@pytest.mark.parametrize("alpha_range", [(0.0, 0.5), (0.0, 1.0), (0.2, 0.3)])
def test_coefficients_are_uniform_on_their_range(alpha_range: tuple[float, float]) -> None:
    """Against the moments of the uniform law, within five standard errors."""
    low, high = alpha_range
    alpha = Interpolator(alpha_range=alpha_range).sample(torch.zeros(20_000, 1)).alpha
    assert low <= alpha.min()
    assert alpha.max() <= high
    spread = (high - low) / 12**0.5
    assert abs(alpha.mean() - (low + high) / 2) < 5 * spread / 20_000**0.5
    assert alpha.std().item() == pytest.approx(spread, rel=0.03)


def test_bernoulli_takes_whole_channels_at_the_drawn_rate() -> None:
    z = torch.randn(4000, 8, 2, 2)
    z_mix, alpha, z_partner, _ = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0)).sample(z)
    assert set(alpha.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(z_mix, torch.where(alpha.bool(), z, z_partner))
    assert alpha.mean().item() == pytest.approx(0.5, abs=0.02)


def test_convex_mixes_are_convex_and_flat_on_the_simplex() -> None:
    """The largest of k flat Dirichlet weights has mean (1 + 1/2 + ... + 1/k) / k (order statistics)."""
    z = torch.eye(3).repeat(4000, 1)
    z_mix, alpha, _, _ = Interpolator(kind="convex", ways=3).sample(z)
    torch.testing.assert_close(z_mix.sum(1), torch.ones(len(z)))
    assert (z_mix >= 0).all()
    assert (1 - alpha).mean().item() == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=0.01)
    assert alpha.max() <= 2 / 3


def test_two_way_convex_has_the_folded_coefficient() -> None:
    alpha = Interpolator(kind="convex").sample(torch.randn(5000, 2)).alpha
    assert alpha.max() <= 0.5
    assert alpha.mean().item() == pytest.approx(0.25, abs=0.01)


def test_reversed_batch_is_the_default_partner() -> None:
    z = torch.randn(6, 4)
    assert torch.equal(Interpolator().sample(z).z_partner, z.flip(0))


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 2, 3, 3)])
@pytest.mark.parametrize("kind", ["linear", "multidimensional", "bernoulli"])
def test_the_middle_of_an_odd_batch_is_said_not_to_be_mixed(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    z_mix, alpha, _, _ = Interpolator(kind=kind, alpha_range=(0.1, 0.4)).sample(z)
    torch.testing.assert_close(z_mix[2], z[2])
    assert (alpha[2] == 0).all()
    if kind == "linear":
        assert (alpha[[0, 1, 3, 4]] >= 0.1).all()


@given(n=st.integers(2, 40), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_a_permutation_leaves_nobody_with_themselves_and_nobody_out(n: int, seed: int) -> None:
    z = torch.arange(float(n))
    strategy = Interpolator(pairing="permutation", generator=torch.Generator().manual_seed(seed))
    partner = strategy.sample(z).z_partner
    assert (partner != z).all()
    assert torch.equal(partner.sort().values, z)


@given(n=st.integers(4, 30), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_convex_partners_are_all_different(n: int, seed: int) -> None:
    """Each mixed row of one-hot codes has exactly as many non-zero weights as ways."""
    strategy = Interpolator(kind="convex", ways=4, generator=torch.Generator().manual_seed(seed))
    z_mix = strategy.mix(torch.eye(n, dtype=torch.float64))
    assert ((z_mix > 0).sum(1) == 4).all()


def test_partners_from_the_prior_or_from_the_caller() -> None:
    one = torch.randn(1, 4)
    assert Interpolator(pairing="prior").sample(one).z_mix.isfinite().all()  # a batch of one is enough
    threes = Interpolator(pairing="prior", prior=lambda z: torch.full_like(z, 3.0))
    assert torch.equal(threes.sample(one).z_partner, torch.full((1, 4), 3.0))
    assert torch.equal(Interpolator(pairing=lambda z: z + 1).sample(one).z_partner, one + 1)
    given_partner = torch.zeros(1, 4)
    assert torch.equal(Interpolator().mix(one, given_partner, alpha=0.25), 0.25 * one)


def test_prior_draws_are_standard_normal() -> None:
    draws = Interpolator(pairing="prior").sample(torch.zeros(4000, 4)).z_partner
    assert abs(draws.mean()) < 0.05
    assert draws.std().item() == pytest.approx(1, abs=0.03)


def test_half_precision_codes_keep_fine_coefficients() -> None:
    z = torch.randn(256, 8, dtype=torch.bfloat16)
    z_mix, alpha, _, _ = Interpolator().sample(z)
    assert z_mix.dtype == torch.bfloat16
    assert alpha.dtype == torch.float32
    assert len(alpha.unique()) > 250  # bf16 would leave fewer


def test_with_a_pair_it_takes_images(pair: Zoo) -> None:
    interpolator = Interpolator(pair.encoder, pair.decoder)
    torch.manual_seed(2)
    x_mix = interpolator(pair.x)
    torch.manual_seed(2)
    expected = pair.decoder(interpolator.mix(pair.encoder(pair.x)))
    torch.testing.assert_close(x_mix, expected)
    assert not list(interpolator.parameters())
    path = interpolator.path(pair.x, pair.x.flip(0), steps=5)
    assert path.shape == (6, 5, 1, 8, 8)
    torch.testing.assert_close(path[:, 0], pair.decoder(pair.encoder(pair.x)))
    torch.testing.assert_close(path[:, -1], pair.decoder(pair.encoder(pair.x)).flip(0))


def test_without_a_pair_paths_run_between_codes() -> None:
    z1, z2 = torch.zeros(2, 3), torch.ones(2, 3)
    path = Interpolator().path(z1, z2, steps=3)
    assert path.shape == (2, 3, 3)
    assert torch.equal(path[0, :, 0], torch.tensor([0.0, 0.5, 1.0]))
    round_path = Interpolator(kind="spherical").path(torch.tensor([[1.0, 0]]), torch.tensor([[0, 1.0]]), steps=7)
    torch.testing.assert_close(round_path.norm(dim=-1), torch.ones(1, 7))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "cubic"}, r"kind: expected one of 'linear', .*, got 'cubic'"),
        ({"pairing": "next"}, r"pairing: expected one of 'reverse', 'permutation', 'prior', got 'next'"),
        ({"grain": "pixel"}, r"grain: expected one of"),
        ({"alpha_range": (0.0, 1.5)}, r"alpha_range: expected a finite number in \[0, 1\], got 1.5"),
        ({"alpha_range": (-0.1, 0.5)}, r"alpha_range: .*got -0.1"),
        ({"alpha_range": (0.5, 0.5)}, r"alpha_range: expected low < high within \[0, 1\], got \(0.5, 0.5\)"),
        ({"alpha_range": 0.5}, r"alpha_range: expected a pair \(low, high\), got 0.5"),
        ({"kind": "convex", "ways": 1}, r"ways: expected an int of at least 2, got 1"),
        ({"kind": "convex", "pairing": "reverse"}, r"pairing: expected 'permutation'"),
        ({"encoder": nn.Identity()}, r"decoder: expected a pair"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Interpolator(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Interpolator().mix(torch.randn(1, 3)), r"x: expected a batch of at least 2 samples .* got 1"),
        (
            lambda: Interpolator(kind="convex", ways=4).mix(torch.randn(3, 3)),
            r"x: expected a batch of at least 4 samples .* got 3",
        ),
        (lambda: Interpolator().mix(torch.ones(4, 3, dtype=torch.long)), r"z: expected a floating point tensor"),
        (lambda: Interpolator().mix([1.0]), r"z: expected a tensor, got a list of length 1"),
        (lambda: Interpolator()(torch.randn(4, 3)), r"encoder: expected a pair for images, got None"),
        (
            lambda: Interpolator(pairing=lambda z: z[:2]).mix(torch.randn(4, 3)),
            r"pairing: expected the shape of the codes, \(4, 3\), got .*\(2, 3\)",
        ),
        (lambda: Interpolator().path(torch.ones(2, 3), torch.ones(2, 3), steps=1), r"steps: .* at least 2, got 1"),
        (lambda: Interpolator().path(torch.ones(2, 3), torch.ones(2, 4)), r"z_partner: expected the shape of z"),
    ],
)
def test_bad_calls_are_named(call, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_mixing_is_differentiable_to_both_codes() -> None:
    def gradients(kind: str) -> tuple[Tensor, ...]:
        z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        Interpolator(kind=kind, alpha_range=(0.1, 0.4)).mix(z).sum().backward()
        return z.grad

    for kind in KINDS:
        assert (gradients(kind) != 0).any()


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_grid_is_every_point_of_every_pair(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    strategy = Interpolator(kind=kind, alpha_range=(0.2, 0.8), pairing="permutation", grid=4)
    mask = torch.rand(shape[:2]) > 0.3
    z_mix, alpha, z_partner, either = strategy.sample(z, mask=mask)
    assert z_mix.shape == z_partner.shape == (24, *shape[1:])
    partner = z_partner[:6]
    who = [int((z == row).flatten(1).all(1).nonzero()) for row in partner]
    for n, point in enumerate((0.2, 0.4, 0.6, 0.8)):
        rows = slice(6 * n, 6 * n + 6)
        torch.testing.assert_close(z_mix[rows], strategy.mix(z, partner, point))
        torch.testing.assert_close(alpha[rows], torch.full((6, *[1] * (z.ndim - 1)), point))
        assert torch.equal(z_partner[rows], partner)
        assert torch.equal(either[rows], mask | mask[who])


def test_a_grids_ends_are_the_pair_itself() -> None:
    z = torch.randn(6, 5)
    z_mix, _, z_partner, _ = Interpolator(alpha_range=(0.0, 1.0), grid=2).sample(z)
    torch.testing.assert_close(z_mix, torch.cat([z_partner[:6], z]))


@pytest.mark.parametrize("kind", ["multidimensional", "bernoulli", "convex"])
def test_a_grid_is_for_kinds_with_one_coefficient(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"grid: expected None for kind='{kind}', whose coefficients are random"):
        Interpolator(kind=kind, grid=3)
    with pytest.raises(ValueError, match=r"grid: expected an int of at least 2, got 1"):
        Interpolator(grid=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_a_shared_coefficient_is_one_for_the_batch(kind: str, shape: tuple[int, ...]) -> None:
    strategy = Interpolator(kind=kind, shared=True, alpha_range=(0.0, 1.0))
    draws = torch.stack([strategy.sample(torch.randn(shape)).alpha.flatten() for _ in range(2)])
    assert draws.shape == (2, 6)
    assert (draws == draws[:, :1]).all()
    assert draws[0, 0] != draws[1, 0]


def test_a_shared_probability_is_one_for_the_batch_and_bits_are_not() -> None:
    """Rates of the batch spread as U(0, 1) does; with a probability each sample they would all be near 1/2."""
    z = torch.randn(64, 8, 2, 2)
    strategy = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0), shared=True)
    drawn = [strategy.sample(z).alpha for _ in range(400)]
    assert all(alpha.shape == (64, 8, 1, 1) for alpha in drawn)
    rates = torch.stack([alpha.mean() for alpha in drawn])
    assert rates.std().item() == pytest.approx(12**-0.5, abs=0.03)
    assert any(len(alpha.flatten(1).unique(dim=0)) > 2 for alpha in drawn)
    alone = Interpolator(kind="bernoulli", alpha_range=(0.0, 1.0))
    assert torch.stack([alone.sample(z).alpha.mean() for _ in range(100)]).std() < 0.06


def test_a_coefficient_for_each_channel() -> None:
    z = torch.randn(6, 3, 4, 4)
    z_mix, alpha, z_partner, _ = Interpolator(kind="multidimensional", grain="channel").sample(z)
    assert alpha.shape == (6, 3, 1, 1)
    assert len(alpha.unique()) == 18
    assert alpha.max() <= 0.5
    torch.testing.assert_close(z_mix, alpha * z + (1 - alpha) * z_partner)


@pytest.mark.parametrize("grain", ["channel", "element"])
def test_bernoulli_of_three_takes_each_grain_from_any_of_them_alike(grain: str) -> None:
    """Codes that say whose they are: every grain is one's own or one of two partners', a third each."""
    count = 3000
    z = torch.arange(float(count)).view(-1, 1, 1, 1).expand(count, 4, 2, 2).contiguous()
    z_mix, alpha, _, _ = Interpolator(kind="bernoulli", ways=3, grain=grain).sample(z)
    assert alpha.shape == ((count, 4, 1, 1) if grain == "channel" else z.shape)
    assert torch.equal(z_mix == z, alpha.expand_as(z).bool())
    assert alpha.mean().item() == pytest.approx(1 / 3, abs=0.02)
    if grain == "channel":
        assert torch.equal(z_mix, z_mix[..., :1, :1].expand_as(z))
    foreign = [row[row != own].unique() for row, own in zip(z_mix.flatten(1), z[:, 0, 0, 0], strict=True)]
    assert max(len(values) for values in foreign) == 2
    both = [row for row, values in zip(z_mix.flatten(1), foreign, strict=True) if len(values) == 2]
    assert len(both) > count / 3  # of four channels, two partners show in 16/27 - 1/81


def test_bernoulli_of_three_uses_both_partners_equally() -> None:
    count = 3000
    z = torch.arange(float(count)).view(-1, 1).expand(count, 30).contiguous()
    strategy = Interpolator(kind="bernoulli", ways=3, grain="element")
    torch.manual_seed(4)
    z_mix = strategy.mix(z)
    torch.manual_seed(4)
    ((first, _), (second, _)) = strategy._partners(z, None, 2)
    for origin in (first, second):
        assert (z_mix == origin).float().mean().item() == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@pytest.mark.parametrize("grid", [None, 3])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_the_direction_is_the_derivative_of_the_mix(kind: str, grid: int | None, shape: tuple[int, ...]) -> None:
    """Against torch's own forward mode."""
    z = torch.randn(shape, dtype=torch.float64)
    strategy = Interpolator(kind=kind, grid=grid, pairing="permutation")
    mixed = strategy.sample(z)
    own = z if grid is None else torch.cat([z] * grid)

    def along(alpha: Tensor) -> Tensor:
        return strategy.mix(own, mixed.z_partner, alpha)

    z_mix, derivative = torch.func.jvp(along, (mixed.alpha,), (torch.ones_like(mixed.alpha),))
    torch.testing.assert_close(mixed.z_mix, z_mix)
    torch.testing.assert_close(strategy.direction(z, mixed), derivative)


def test_the_direction_of_many_coefficients_and_of_none() -> None:
    z = torch.randn(6, 3, 4)
    for kind in ("multidimensional", "convex"):
        mixed = Interpolator(kind=kind).sample(z)
        torch.testing.assert_close(Interpolator(kind=kind).direction(z, mixed), z - mixed.z_partner)
    strategy = Interpolator(kind="bernoulli")
    with pytest.raises(
        ValueError, match=r"interpolator: expected one with a path from code to code, got kind='ber"
    ):
        strategy.direction(z, strategy.sample(z))


def test_the_middle_of_an_odd_batch_is_unmixed_at_every_point_of_a_grid() -> None:
    z = torch.randn(5, 3)
    z_mix, alpha, _, _ = Interpolator(alpha_range=(0.2, 0.8), grid=3).sample(z)
    middle = torch.tensor([2, 7, 12])
    assert (alpha[middle] == 0).all()
    assert torch.equal(z_mix[middle], z[2].expand(3, 3))
    assert (alpha[torch.arange(15) % 5 != 2] >= 0.2 - 1e-6).all()
