"""Mixing as pure mathematics: closed forms, gradients, and the corners of slerp."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from interpreg.functional import bilinear, mix, path, slerp


@pytest.mark.fault(
    "Numerics",
    "Coefficients mean the own code's share in one program and the partner's in another.",
    now="`alpha` is the own code's share everywhere; recipes convert",
)
def test_alpha_is_the_weight_of_the_own_code() -> None:
    z, partner = torch.ones(2, 3), torch.zeros(2, 3)
    assert torch.equal(mix(z, partner, 1.0), z)
    assert torch.equal(mix(z, partner, 0.0), partner)
    assert torch.equal(mix(z, partner, torch.tensor([0.25, 1.0])), torch.tensor([[0.25] * 3, [1.0] * 3]))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 3), (4, 2, 3, 3)])
def test_one_coefficient_a_sample_never_broadcasts_along_another_axis(shape: tuple[int, ...]) -> None:
    z, partner, alpha = torch.randn(shape), torch.randn(shape), torch.rand(4)
    expected = torch.stack([a * own + (1 - a) * other for a, own, other in zip(alpha, z, partner, strict=True)])
    torch.testing.assert_close(mix(z, partner, alpha), expected)


@given(angle=st.floats(0.01, 3.13), alpha=st.floats(0, 1), scale=st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_slerp_turns_evenly(angle: float, alpha: float, scale: float) -> None:
    """In the plane, mixing codes at angles 0 and w gives the code at angle (1 - alpha) w, of the same length."""
    z = scale * torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    partner = scale * torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
    turned = (1 - alpha) * angle
    expected = scale * torch.tensor([[math.cos(turned), math.sin(turned)]], dtype=torch.float64)
    torch.testing.assert_close(slerp(z, partner, alpha), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.fault(
    "Numerics",
    "The great circle between parallel or opposite codes is NaN.",
    now="finite values and gradients",
)
@pytest.mark.parametrize("partner", ["same", "opposite", "zero", "nearly"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slerp_and_its_gradients_are_finite_without_a_great_circle(partner: str, dtype: torch.dtype) -> None:
    z = torch.randn(3, 5, dtype=dtype, requires_grad=True)
    others = {"same": z, "opposite": -z, "zero": torch.zeros_like(z), "nearly": z + 1e-7}
    mixed = slerp(z, others[partner], torch.tensor([0.0, 0.3, 1.0], dtype=dtype))
    mixed.sum().backward()
    assert mixed.isfinite().all()
    assert z.grad.isfinite().all()
    if partner in ("same", "nearly"):
        torch.testing.assert_close(mixed, z, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("function", [mix, slerp])
def test_gradients_of_every_order_and_direction(function) -> None:
    z, partner = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True).unbind()
    alpha = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(function, (z, partner, alpha), check_forward_ad=True)
    assert gradgradcheck(function, (z, partner, alpha))


def test_half_precision_is_mixed_in_single() -> None:
    z, partner = torch.randn(2, 64, 8).half().unbind()
    exact = 0.3 * z.double() + 0.7 * partner.double()
    assert (mix(z, partner, 0.3).double() - exact).abs().max() <= (exact.abs().max() * 2**-11)


def test_the_wider_of_two_precisions_is_kept_until_the_end() -> None:
    x, x_hat = torch.randn(4, 3), torch.randn(4, 3).bfloat16()
    torch.testing.assert_close(mix(x, x_hat, 0.2), 0.2 * x + 0.8 * x_hat.float())


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_paths_start_and_end_at_their_ends(kind: str) -> None:
    z1, z2 = torch.randn(2, 3, 4, 2).unbind()
    walked = path(z1, z2, 9, kind)
    assert walked.shape == (3, 9, 4, 2)
    torch.testing.assert_close((walked[:, 0], walked[:, -1]), (z1, z2))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: mix(torch.ones(2, 3), torch.ones(2, 4), 0.5), r"z_partner: expected the shape of z, \(2, 3\)"),
    (lambda: mix(torch.ones(2, 3), torch.ones(2, 3), torch.ones(3)), r"alpha: expected a batch of 2 samples"),
    (lambda: mix(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 2)), r"alpha: expected a number, one per"),
    (lambda: mix(torch.ones(2, 3).int(), torch.ones(2, 3), 0.5), r"z: expected a floating point tensor"),
    (lambda: path(torch.ones(2, 3), torch.ones(2, 3), 4, "cubic"), r"kind: expected one of 'linear', 'spherical'"),
    (lambda: path(torch.ones(2, 3), torch.ones(2, 3), 2.5), r"steps: expected an int, got 2.5"),
    (lambda: bilinear(torch.zeros(3, 2), 2, 2), "codes: expected a batch of 4"),
    (lambda: bilinear(torch.zeros(4, 2).int(), 2, 2), "codes: expected a floating point tensor"),
    (lambda: bilinear(torch.zeros(4, 2), 1, 2), "rows: expected an int of at least 2"),
    (lambda: bilinear(torch.zeros(4, 2), 2, 1), "columns: expected an int of at least 2"),
])  # fmt: skip
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_bilinear_is_its_formula_at_every_place() -> None:
    codes = torch.randn(4, 3, 2, dtype=torch.float64)
    grid = bilinear(codes, rows=5, columns=4)
    assert grid.shape == (5, 4, 3, 2)
    for row in range(5):
        for column in range(4):
            v, u = row / 4, column / 3
            top, bottom = (1 - u) * codes[0] + u * codes[1], (1 - u) * codes[2] + u * codes[3]
            expected = (1 - v) * top + v * bottom
            torch.testing.assert_close(grid[row, column], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_bilinear_has_the_given_codes_in_its_corners(dtype: torch.dtype) -> None:
    codes = torch.randn(4, 6).to(dtype)
    grid = bilinear(codes, rows=7, columns=3)
    assert grid.dtype == dtype
    assert torch.equal(torch.stack([grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]]), codes)


def test_bilinear_gradients() -> None:
    codes = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda z: bilinear(z, 3, 4), (codes,), check_forward_ad=True)
