"""Interpolators: laws of the coefficients, the partners and the paths."""

import pytest
import torch
from calls import seeded
from torch import Tensor, nn

from interpreg import Interpolator
from interpreg.sampling import partners, random_coefficients

SHAPES = [(6,), (6, 5), (6, 3, 4), (6, 3, 4, 4)]
KINDS = ["linear", "multidimensional", "spherical", "bernoulli", "convex"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_mixes_codes_of_every_rank(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    z_mix, alpha, z_partner, _ = Interpolator(kind=kind).sample(z)
    assert z_mix.shape == z_partner.shape == z.shape
    assert (torch.broadcast_shapes(alpha.shape, z.shape), alpha.ndim) == (z.shape, z.ndim)
    assert ((alpha >= 0) & (alpha <= 1)).all()


@pytest.mark.parametrize("kind", ["linear", "multidimensional", "bernoulli"])
def test_a_mixed_code_is_what_its_coefficient_and_partner_say(kind: str) -> None:
    z = torch.randn(6, 3, 4, 4)
    z_mix, alpha, z_partner, _ = Interpolator(kind=kind).sample(z)
    torch.testing.assert_close(z_mix, alpha * z + (1 - alpha) * z_partner)


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 2, 3, 3)])
@pytest.mark.parametrize("kind", ["linear", "multidimensional", "bernoulli"])
def test_the_middle_of_an_odd_batch_is_said_not_to_be_mixed(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    z_mix, alpha, _, _ = Interpolator(kind=kind, alpha_range=(0.1, 0.4)).sample(z)
    torch.testing.assert_close(z_mix[2], z[2])
    assert (alpha[2] == 0).all()
    if kind == "linear":
        assert (alpha[[0, 1, 3, 4]] >= 0.1).all()


def test_with_a_pair_it_takes_images(encoder, decoder, x) -> None:
    interpolator = Interpolator(encoder, decoder)
    torch.manual_seed(2)
    x_mix = interpolator(x)
    torch.manual_seed(2)
    expected = decoder(interpolator.mix(encoder(x)))
    torch.testing.assert_close(x_mix, expected)
    assert not list(interpolator.parameters())
    path = interpolator.path(x, x.flip(0), steps=5)
    assert path.shape == (6, 5, 1, 8, 8)
    torch.testing.assert_close(path[:, 0], decoder(encoder(x)))
    torch.testing.assert_close(path[:, -1], decoder(encoder(x)).flip(0))


def test_without_a_pair_paths_run_between_codes() -> None:
    z1, z2 = torch.zeros(2, 3), torch.ones(2, 3)
    path = Interpolator().path(z1, z2, steps=3)
    assert path.shape == (2, 3, 3)
    assert torch.equal(path[0, :, 0], torch.tensor([0.0, 0.5, 1.0]))
    round_path = Interpolator(kind="spherical").path(torch.tensor([[1.0, 0]]), torch.tensor([[0, 1.0]]), steps=7)
    torch.testing.assert_close(round_path.norm(dim=-1), torch.ones(1, 7))


def test_mixing_is_differentiable_to_both_codes() -> None:
    def gradients(kind: str) -> tuple[Tensor, ...]:
        z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        Interpolator(kind=kind, **({} if kind == "convex" else {"alpha_range": (0.1, 0.4)})).mix(
            z
        ).sum().backward()
        return z.grad

    for kind in KINDS:
        assert (gradients(kind) != 0).any()


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_grid_is_every_point_of_every_pair(kind: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    strategy = Interpolator(kind=kind, alpha_range=(0.2, 0.8), pairing="permutation", grid=4)
    z_mix, alpha, z_partner, _ = seeded(strategy.sample, z)
    mask = torch.rand(shape[:2]) > 0.3
    either = seeded(strategy.sample, z, mask=mask).mask
    assert z_mix.shape == z_partner.shape == (24, *shape[1:])
    partner = z_partner[:6]
    who = [int((z == row).flatten(1).all(1).nonzero()) for row in partner]
    for n, point in enumerate((0.2, 0.4, 0.6, 0.8)):
        rows = slice(6 * n, 6 * n + 6)
        torch.testing.assert_close(z_mix[rows], strategy.mix(z, partner, point))
        torch.testing.assert_close(alpha[rows], torch.full((6, *[1] * (z.ndim - 1)), point))
        assert torch.equal(z_partner[rows], partner)
        assert torch.equal(either[rows], mask | mask[who])


@pytest.mark.parametrize("kind", ["multidimensional", "bernoulli", "convex"])
def test_a_grid_is_for_kinds_with_one_coefficient(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"grid: expected None for kind='{kind}', whose coefficients are random"):
        Interpolator(kind=kind, grid=3)
    with pytest.raises(ValueError, match=r"grid: expected an int of at least 2, got 1"):
        Interpolator(grid=1)


@pytest.mark.parametrize("grid", [None, 3])
@pytest.mark.parametrize(("kind", "ways"), [
    ("linear", 2), ("multidimensional", 2), ("spherical", 2), ("bernoulli", 2), ("convex", 2), ("convex", 3),
    ("bernoulli", 3),
])  # fmt: skip
def test_a_mix_goes_on_as_the_code_that_does_not_end(kind: str, ways: int, grid: int | None) -> None:
    """Position by position: of one valid code the mix is it alone, of several what the kind says, of none 0."""
    if grid is not None and kind not in ("linear", "spherical"):
        pytest.skip("has no grid")
    lengths = torch.tensor([1, 2, 4, 6, 3, 5])
    mask = torch.arange(6) < lengths[:, None]
    z = torch.rand(6, 6, 3, dtype=torch.float64) + 1
    strategy = Interpolator(kind=kind, pairing="permutation", grid=grid, **({} if ways == 2 else {"ways": ways}))
    who = [row.tolist() for row in seeded(others_of, strategy, ways - 1)]
    z_mix, alpha, _, valid = seeded(strategy.sample, z.where(mask[..., None], torch.nan), mask=mask)
    for row in range(len(z_mix)):
        i = row % 6
        for t in range(6):
            codes = [z[k, t] for k in (i, *(other[i] for other in who)) if t < lengths[k]]
            assert valid[row, t] == bool(codes)
            if len(codes) < 2:
                assert (alpha[row].expand(6, 3)[t] == 0).all()
            if not codes:
                assert (z_mix[row, t] == 0).all()
            elif kind != "spherical":
                least, most = torch.stack(codes).amin(0), torch.stack(codes).amax(0)
                assert ((z_mix[row, t] >= least - 1e-12) & (z_mix[row, t] <= most + 1e-12)).all()


def others_of(strategy: Interpolator, count: int) -> Tensor:
    """Which samples are the partners, of each."""
    drawn = partners(torch.arange(6.0, dtype=torch.float64), None, strategy.pairing, None, None, count)
    return torch.stack([partner for partner, _ in drawn]).long()


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_padded_sequences_are_mixed_as_their_continuations_are(kind: str) -> None:
    """And the direction is the derivative of that, by torch's own forward mode."""
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]], dtype=torch.bool)
    z = torch.randn(4, 4, 3, dtype=torch.float64)
    own = z.where(mask[..., None], z.flip(0)).where((mask | mask.flip(0))[..., None], 0)
    strategy = Interpolator(kind=kind)
    mixed = seeded(strategy.sample, z, mask=mask)
    alpha = seeded(random_coefficients, z, kind, (0.0, 0.5), "element", False, None)

    def along(alpha: Tensor) -> Tensor:
        return strategy.mix(own, own.flip(0), alpha)

    z_mix, derivative = torch.func.jvp(along, (alpha,), (torch.ones_like(alpha),))
    padded = z.where(mask[..., None], 0)
    torch.testing.assert_close((mixed.z_mix, strategy.direction(padded, mixed, mask)), (z_mix, derivative))


def test_the_spherical_mix_of_two_codes_of_zeros_has_a_gradient() -> None:
    z = torch.zeros(2, 3, requires_grad=True)
    Interpolator(kind="spherical").mix(z).sum().backward()
    assert z.grad.isfinite().all()


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
    torch.testing.assert_close((mixed.z_mix, strategy.direction(z, mixed)), (z_mix, derivative))


def test_the_direction_of_many_coefficients_and_of_none() -> None:
    z = torch.randn(6, 3, 4)
    for kind in ("multidimensional", "convex"):
        mixed = Interpolator(kind=kind).sample(z)
        torch.testing.assert_close(Interpolator(kind=kind).direction(z, mixed), z - mixed.z_partner)
    strategy = Interpolator(kind="bernoulli")
    with pytest.raises(ValueError, match=r"interpolator: .* a path from code to code, got kind='bernoulli'"):
        strategy.direction(z, strategy.sample(z))


def test_the_middle_of_an_odd_batch_is_unmixed_at_every_point_of_a_grid() -> None:
    z = torch.randn(5, 3)
    z_mix, alpha, _, _ = Interpolator(alpha_range=(0.2, 0.8), grid=3).sample(z)
    middle = torch.tensor([2, 7, 12])
    assert (alpha[middle] == 0).all()
    assert torch.equal(z_mix[middle], z[2].expand(3, 3))
    assert (alpha[torch.arange(15) % 5 != 2] >= 0.2 - 1e-6).all()


CODES = torch.ones(4, 3)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Interpolator(kind="cubic"), ValueError, r"kind: expected one of 'linear', .*, got 'cubic'"),
    (lambda: Interpolator(pairing="next"), ValueError,
     r"pairing: expected one of 'reverse', 'permutation', 'prior', got 'next'"),
    (lambda: Interpolator(grain="pixel"), ValueError, r"grain: expected one of"),
    (lambda: Interpolator(alpha_range=(0.5, 0.5)), ValueError,
     r"alpha_range: expected low < high within \[0, 1\], got \(0.5, 0.5\)"),
    (lambda: Interpolator(kind="convex", ways=1), ValueError, r"ways: expected an int of at least 2, got 1"),
    (lambda: Interpolator(kind="convex", pairing="reverse"), ValueError, r"pairing: expected 'permutation'"),
    (lambda: Interpolator(encoder=nn.Identity()), (TypeError, ValueError), r"decoder: expected a pair"),
    (lambda: Interpolator().mix(CODES[:1]), ValueError, r"x: expected a batch of at least 2 samples .* got 1"),
    (lambda: Interpolator(kind="convex", ways=4).mix(CODES[:3]), ValueError,
     r"x: expected a batch of at least 4 samples .* got 3"),
    (lambda: Interpolator(kind="bernoulli", ways=4).mix(CODES[:3]), ValueError,
     r"x: expected a batch of at least 4 samples .* got 3"),
    (lambda: Interpolator(pairing=lambda z: z[:2]).mix(CODES), ValueError,
     r"pairing: expected the shape of the codes, \(4, 3\), got .*\(2, 3\)"),
    (lambda: Interpolator().mix(CODES.long()), TypeError, "z: expected a floating point tensor"),
    (lambda: Interpolator()(CODES), TypeError, "encoder: expected a pair for images, got None"),
    (lambda: Interpolator().path(CODES, CODES, steps=1), ValueError, r"steps: .* at least 2, got 1"),
    (lambda: Interpolator().path(CODES, CODES[:, :2]), ValueError, "z_partner: expected the shape of z"),
    (lambda: Interpolator().sample(CODES, CODES, mask=torch.ones(4, 3) > 0), ValueError,
     "mask: expected None beside a z_partner, whose mask is unknown, got a tensor"),
])  # fmt: skip
def test_bad_arguments_and_calls_are_named(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
