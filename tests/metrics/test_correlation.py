"""Correlations of codes whose covariance is known to the last digit."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from interpreg.metrics import correlation, dead_units, latent_correlation


def white(n: int, d: int) -> Tensor:
    """Samples whose mean is 0 and whose scatter matrix is the identity, up to float64's rounding."""
    x = torch.randn(n, d, dtype=torch.float64)
    return torch.linalg.qr(x - x.mean(0)).Q


def turned(angle: float, a: float, b: float, n: int = 50) -> Tensor:
    """A cloud in the plane with variances a and b along axes turned by ``angle``."""
    c, s = math.cos(angle), math.sin(angle)
    axes = torch.tensor([[c, s], [-s, c]], dtype=torch.float64)
    return white(n, 2) * torch.tensor([a, b], dtype=torch.float64).sqrt() @ axes


@pytest.mark.parametrize("n", [5, 4096, 9000])
def test_it_is_numpys(n: int) -> None:
    codes = torch.randn(n, 7, dtype=torch.float64) @ torch.randn(7, 7, dtype=torch.float64) + 1000
    expected = torch.from_numpy(np.corrcoef(codes.numpy(), rowvar=False))
    torch.testing.assert_close(correlation(codes), expected, rtol=0, atol=1e-12)
    off = expected[~torch.eye(7, dtype=torch.bool)]
    assert latent_correlation(codes) == pytest.approx(off.abs().mean().item(), abs=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.1, math.pi / 4, 1.0, math.pi / 2])
def test_in_the_plane_it_depends_on_the_rotation(angle: float) -> None:
    """Closed form: the covariance of an ellipse of variances a and b whose axes are turned."""
    a, b = 9.0, 0.5
    c2, s2 = math.cos(angle) ** 2, math.sin(angle) ** 2
    expected = abs((a - b) * math.sin(2 * angle) / 2) / math.sqrt((a * c2 + b * s2) * (a * s2 + b * c2))
    assert latent_correlation(turned(angle, a, b)) == pytest.approx(expected, abs=1e-12)


def test_opposite_elements_are_related_as_equal_ones_are() -> None:
    z = torch.randn(20, 1)
    assert latent_correlation(torch.cat([z, -3 * z, 2 * z + 1], dim=1)) == pytest.approx(1.0, abs=1e-6)


def test_what_does_not_vary_has_no_correlation() -> None:
    codes = torch.cat([white(30, 3), torch.full((30, 1), 0.1, dtype=torch.float64)], dim=1)
    r = correlation(codes)
    assert r[3].isnan().all()
    assert r[:, 3].isnan().all()
    torch.testing.assert_close(r[:3, :3], torch.eye(3, dtype=torch.float64))
    assert (latent_correlation(codes), dead_units(codes)) == (pytest.approx(0.0, abs=1e-12), 1)


@pytest.mark.parametrize(("scale", "dead"), [(1e-4, 0), (2e-6, 0), (5e-7, 1), (0.0, 1)])
def test_dead_is_a_millionth_of_the_loudest(scale: float, dead: int) -> None:
    codes = white(40, 2) * torch.tensor([1.0, scale]).double()
    assert (dead_units(codes), correlation(codes)[0, 1].isnan()) == (dead, bool(dead))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_a_collapsed_code_is_dead_all_over(value: float) -> None:
    codes = torch.full((9001, 3), value, dtype=torch.float64)  # whose mean is rounded
    assert dead_units(codes) == 3
    assert math.isnan(latent_correlation(codes))
    assert correlation(codes).isnan().all()


def test_one_element_has_nobody_to_be_related_to() -> None:
    assert math.isnan(latent_correlation(torch.randn(10, 1)))
    assert correlation(torch.randn(10, 1)).tolist() == [[1.0]]


def test_codes_of_any_rank_are_flattened_and_left_alone() -> None:
    codes = torch.randn(30, 2, 3, requires_grad=True)
    found = correlation(codes)
    assert found.shape == (6, 6)
    assert not found.requires_grad
    torch.testing.assert_close(found, correlation(codes.flatten(1)))


@pytest.mark.parametrize("measure", [correlation, latent_correlation, dead_units])
@pytest.mark.parametrize(("codes", "error", "message"), [
    (torch.ones(1, 3), ValueError, r"codes: expected at least 2 .* got a torch.float32 tensor of shape \(1, 3\)"),
    (torch.ones(4, 0), ValueError, r"codes: expected at least 2 of at least one element"),
])  # fmt: skip
def test_bad_input_is_named(measure, codes: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(codes)
