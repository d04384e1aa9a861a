"""Path lengths of decoders that are known, and Fréchet distances of covariances that are."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn

from interpreg.metrics import frechet_distance, perceptual_path_length

identity = nn.Identity()


def codes(n: int = 50, d: int = 4) -> tuple[Tensor, Tensor]:
    return torch.randn(n, d, dtype=torch.float64), torch.randn(n, d, dtype=torch.float64)


@pytest.mark.parametrize("sampling", ["full", "ends"])
@pytest.mark.parametrize("epsilon", [1e-4, 0.1])
def test_a_linear_decoder_has_the_squared_distance_of_its_ends(sampling: str, epsilon: float) -> None:
    (start, end), a = codes(), torch.randn(3, 4).double()
    found = perceptual_path_length(lambda z: z @ a.T, start, end, epsilon=epsilon, sampling=sampling)
    squares = ((end - start) @ a.T).square().sum(1)
    assert found.mean == pytest.approx(squares.mean().item(), rel=1e-7)
    assert found.std == pytest.approx(squares.std().item(), rel=1e-7)
    assert (found.n, found.undefined, found.trimmed) == (50, 0, 0)


@pytest.mark.parametrize("sampling", ["full", "ends"])
def test_on_the_sphere_it_is_the_squared_angle(sampling: str) -> None:
    """A chord of a step of angle w e is 2 sin(w e / 2) long."""
    omega, epsilon = 1.2, 0.01
    start, end = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[math.cos(omega), math.sin(omega)]]).double()
    options = {"kind": "spherical", "sampling": sampling, "epsilon": epsilon, "draws": 9}
    found = perceptual_path_length(identity, start, end, **options)
    expected = (2 * math.sin(omega * epsilon / 2) / epsilon) ** 2
    assert found.mean == pytest.approx(expected, rel=1e-6)
    assert (found.mean, found.std) == (pytest.approx(omega**2, rel=1e-4), pytest.approx(0.0, abs=1e-6))


def test_a_curved_decoder_is_averaged_over_its_path() -> None:
    """g(z) = z^2 from 0 to 1: |dg/dt|^2 = 4 t^2, whose mean is 4/3; at its ends 0 and 4, on average 2."""
    zeros, ones = torch.zeros(2000, 1).double(), torch.ones(2000, 1).double()
    full = perceptual_path_length(torch.square, zeros, ones, draws=10)
    assert (full.mean, full.n) == (pytest.approx(4 / 3, abs=4 * math.sqrt(64 / 45 / 20_000)), 20_000)
    ends = perceptual_path_length(torch.square, zeros, ones, sampling="ends")
    assert ends.mean == pytest.approx(2.0, abs=4 * 2 / math.sqrt(2000))
    assert ends.std == pytest.approx(2.0, rel=0.01)


def test_t_is_zero_at_the_start() -> None:
    """What is decoded lies on the path, never beyond: from 0 to 1, for a decoder that takes notes."""
    seen: list[Tensor] = []

    def note(z: Tensor) -> Tensor:
        seen.append(z)
        return z

    start, end = torch.zeros(300, 1).double(), torch.ones(300, 1).double()
    perceptual_path_length(note, start, end, epsilon=0.25, sampling="ends", batch_size=300)
    assert set(seen[0].flatten().tolist()) == {0.0, 0.25, 0.75, 1.0}
    seen.clear()
    perceptual_path_length(note, start, end, epsilon=0.25, batch_size=300)
    assert 0 <= seen[0].min() < 0.02
    assert 0.98 < seen[0].max() <= 1
    low, high = seen[0].chunk(2)
    torch.testing.assert_close(high - low, torch.full_like(low, 0.25))


def test_features_are_compared_by_the_sum_over_all_of_them() -> None:
    start, end = codes()
    one = perceptual_path_length(identity, start, end).mean
    twice = perceptual_path_length(identity, start, end, features=lambda x: torch.stack([x, -2 * x], dim=2)).mean
    assert twice == pytest.approx(5 * one, rel=1e-6)


def test_single_precision_is_good_to_a_thousandth() -> None:
    net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 256))
    start, end = (z.float() for z in codes(200))
    draws = [torch.Generator().manual_seed(0) for _ in range(2)]
    single = perceptual_path_length(net, start, end, generator=draws[0])
    exact = perceptual_path_length(net.double(), start.double(), end.double(), epsilon=1e-6, generator=draws[1])
    assert single.mean == pytest.approx(exact.mean, rel=1e-3)


def test_coefficients_keep_their_digits_in_single_precision() -> None:
    """One path of many elements: their rounding averages out, that of a coefficient would not."""
    start, end = (z.float() for z in codes(1, 10_000))
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        found = perceptual_path_length(identity, start, end, generator=draw)
        assert found.mean == pytest.approx((end - start).square().sum().item(), rel=5e-5)


def test_batches_and_the_seed() -> None:
    start, end = codes()
    found = [
        perceptual_path_length(
            torch.tanh, start, end, draws=3, batch_size=size, generator=torch.Generator().manual_seed(seed)
        ).mean
        for size, seed in [(1, 0), (7, 0), (500, 0), (500, 1)]
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-9) == pytest.approx(found[2], rel=1e-9)
    assert found[3] != pytest.approx(found[2], rel=1e-6)


def test_a_path_that_goes_nowhere_is_undefined_and_not_perfect() -> None:
    start, end = codes(10)
    some = torch.where(torch.arange(10)[:, None] < 4, start, end)
    found = perceptual_path_length(identity, start, some, draws=2)
    assert (found.n, found.undefined) == (12, 8)
    assert found.mean == pytest.approx((end - start)[4:].square().sum(1).mean().item(), rel=1e-6)
    nowhere = perceptual_path_length(identity, start, start, trim=(1, 99))
    assert math.isnan(nowhere.mean)
    assert math.isnan(nowhere.std)
    assert (nowhere.n, nowhere.undefined) == (0, 10)


@pytest.mark.fault(
    "Measures",
    "A perceptual path length depends on variants that go unnamed (rosinality/stylegan2-pytorch PR#104).",
    now="variants are arguments, and numpy's definitions",
)
def test_trimming_leaves_out_both_ends_as_numpys_percentiles_do() -> None:
    start, end = codes(300)
    squares = (end - start).square().sum(1).numpy()
    low, high = np.percentile(squares, 5, method="lower"), np.percentile(squares, 90, method="higher")
    kept = squares[(squares >= low) & (squares <= high)]
    found = perceptual_path_length(identity, start, end, trim=(5, 90))
    assert found.mean == pytest.approx(kept.mean(), rel=1e-6)
    assert (found.n, found.trimmed) == (len(kept), 300 - len(kept))
    assert found.trimmed > 0


def test_networks_are_called_as_they_are_and_without_gradients() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    hooked: list[bool] = []
    net.register_forward_hook(lambda *_: hooked.append(torch.is_grad_enabled()))
    start, end = (z.float().requires_grad_() for z in codes(8))
    perceptual_path_length(net, start, end)
    frechet_distance(start, end, features=net)
    assert hooked == [False] * 3
    assert net.training


START, END = torch.randn(6, 4), torch.randn(6, 4)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"end": torch.randn(5, 4)}, ValueError, r"end: expected the shape of start, \(6, 4\)"),
    ({"decoder": 3}, TypeError, r"decoder: expected a module"),
    ({"decoder": lambda z: z / 0}, ValueError, r"decoder: expected finite .* got 12 of 12"),
    ({"decoder": lambda z: z[:3]}, ValueError, r"decoder: expected a batch of 12 samples"),
    ({"features": 3}, TypeError, r"features: expected a module"),
    ({"epsilon": 0.0}, ValueError, r"epsilon: expected a number between 0 and 1, got 0.0"),
    ({"epsilon": 1.0}, ValueError, r"epsilon: expected a number between 0 and 1, got 1.0"),
    ({"sampling": "middle"}, ValueError, r"sampling: expected one of 'full', 'ends'"),
    ({"kind": "cubic"}, ValueError, r"kind: expected one of 'linear', 'spherical'"),
    ({"draws": 0}, ValueError, r"draws: expected an int of at least 1"),
    ({"batch_size": 0}, ValueError, r"batch_size: expected an int of at least 1"),
    ({"trim": 5}, TypeError, r"trim: expected a pair of percentiles or None"),
    ({"trim": (99, 1)}, ValueError, r"trim: expected low < high"),
])  # fmt: skip
def test_bad_input_of_paths_is_named(change: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        perceptual_path_length(**({"decoder": identity, "start": START, "end": END} | change))


def sample(mean: Tensor, covariance: Tensor, n: int = 40) -> Tensor:
    """``n`` samples that have exactly this mean and this unbiased covariance."""
    x = torch.randn(n, len(mean), dtype=torch.float64)
    white = torch.linalg.qr(x - x.mean(0)).Q * math.sqrt(n - 1)
    return white @ torch.linalg.cholesky(covariance).T + mean


def spread(d: int) -> Tensor:
    a = torch.randn(d, d, dtype=torch.float64)
    return a @ a.T + 0.1 * torch.eye(d, dtype=torch.float64)


def test_of_axis_parallel_normals() -> None:
    """Closed form for diagonal covariances: the squared differences of the means and of the standard deviations."""
    mean, other = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([3.0, 1.0, -2.0]).double()
    s1, s2 = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([4.0, 2.0, 0.5]).double()
    x, y = sample(mean, s1.square().diag()), sample(other, s2.square().diag(), n=70)
    expected = (mean - other).square().sum() + (s1 - s2).square().sum()
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("d", [2, 5, 20])
def test_it_is_scipys(d: int) -> None:
    mean, other = torch.randn(d).double(), torch.randn(d).double()
    a, b = spread(d), spread(d)
    root = scipy.linalg.sqrtm(a.numpy() @ b.numpy()).real
    expected = (mean - other).square().sum().item() + a.trace().item() + b.trace().item() - 2 * np.trace(root)
    assert frechet_distance(sample(mean, a), sample(other, b)) == pytest.approx(expected, rel=1e-8)


def test_batches_do_not_matter_and_sets_may_trade_places() -> None:
    x, y = sample(torch.ones(3).double(), spread(3)) + 100, sample(torch.zeros(3).double(), spread(3), 55)
    found = [frechet_distance(x, y, batch_size=size) for size in (1, 7, 1000)] + [frechet_distance(y, x)]
    assert found == [pytest.approx(found[0], rel=1e-9)] * 4


def test_a_set_is_no_distance_from_itself_also_where_it_is_flat() -> None:
    x = sample(torch.zeros(4).double(), spread(4))
    assert 0 <= frechet_distance(x, x.flip(0)) < 1e-9
    flat = torch.cat([x, x[:, :2]], dim=1)
    assert 0 <= frechet_distance(flat, flat) < 1e-9
    constant = torch.ones(9, 2)
    assert frechet_distance(constant, constant + 1) == pytest.approx(2.0)


def test_features_of_images() -> None:
    x, y = torch.rand(30, 1, 4, 4), torch.rand(30, 1, 4, 4)

    def quarters(images: Tensor) -> Tensor:
        return images.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))

    found = frechet_distance(x, y, features=quarters)
    assert found == pytest.approx(frechet_distance(quarters(x).flatten(1), quarters(y).flatten(1)), rel=1e-9)


@pytest.mark.fault(
    "Measures",
    "A Fréchet distance of few samples is noise (Lightning-AI/torchmetrics#1620).",
    now="a warning",
)
@pytest.mark.parametrize(("n", "m"), [(5, 40), (40, 4), (5, 5)])
def test_too_few_samples_are_warned_of(n: int, m: int) -> None:
    with pytest.warns(UserWarning, match=rf"{n} images and {m} references give no full covariance of 5 features"):
        frechet_distance(torch.randn(n, 5), torch.randn(m, 5))
    assert (
        frechet_distance(torch.randn(6, 5), torch.randn(6, 5)) > 0
    )  # which are enough: a warning would be an error


def test_bad_input_of_sets_is_named() -> None:
    with pytest.raises(ValueError, match=r"images: expected at least 2"):
        frechet_distance(torch.ones(1, 2), torch.ones(9, 2))
    with pytest.raises(ValueError, match=r"reference: expected as many features as images, 2, got 3"):
        frechet_distance(torch.ones(9, 2), torch.ones(9, 3))
