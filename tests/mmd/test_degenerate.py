"""The warning of degenerate bandwidths. It is given once a kernel, so every test has bandwidths of its own."""

import re
import warnings

import pytest
import torch

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic
from interpreg.mmd import degenerate


def messages_of(kernel: Kernel, x: torch.Tensor, y: torch.Tensor | None = None, times: int = 1) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(times):
            mmd2_to_prior(x, kernel=kernel) if y is None else mmd2(x, y, kernel=kernel)
    return [str(each.message) for each in caught]


@pytest.mark.fault(
    "Numerics",
    "Fixed bandwidths, which fit one size of codes, are used for another.",
    now="one warning, with a bandwidth that fits",
)
@pytest.mark.parametrize("against", ["samples", "prior"])
@pytest.mark.parametrize(("kernel", "values"), [
    (RBF(0.00101), "all 0"),
    (RBF((0.00102, 0.000102)), "all 0"),
    (RBF(101010.0), "all 1"),
    (RBF((0.00103, 103010.0)), "all 0 or all 1"),
    (Laplacian(0.00104), "all 0"),
    (RationalQuadratic(0.000105, alpha=3.0), "all 0"),
    (InverseMultiquadric(106010.0), "all 1"),
], ids=repr)  # fmt: skip
def test_degenerate_kernels_are_reported_once_with_one_that_fits(
    kernel: Kernel, values: str, against: str
) -> None:
    d = 6 if against == "samples" else 7
    x, y = torch.randn(80, d), torch.randn(70, d) + 0.5
    messages = messages_of(kernel, x, y if against == "samples" else None, times=9)
    assert len(messages) == 1
    assert f"the kernel matrix is {values}, so the gradient vanishes" in messages[0]
    assert str(kernel) in messages[0]
    better = float(re.search(r"a bandwidth near ([\d.e+-]+) would", messages[0])[1])
    fitting = RBF(better * 1.000001)
    assert messages_of(fitting, x, y, times=4) == []
    leaf = x.clone().requires_grad_()
    mmd2(leaf, y, kernel=fitting).backward()
    assert leaf.grad.abs().max() > 1e-4


@pytest.mark.parametrize("kernel", [
    RBF((0.00107, 1.07)),  # one of its bandwidths fits
    RBF((0.00108, 108010.0, 2.08)),
    RBF(0.601),  # hardly anything, but something
    InverseMultiquadric(0.0109),  # tails are long
    RBF("median"),
    RBF(),
    InverseMultiquadric(),
    Energy(),
], ids=repr)  # fmt: skip
def test_other_kernels_are_not_reported(kernel: Kernel) -> None:
    assert messages_of(kernel, torch.randn(80, 5), torch.randn(70, 5) + 0.5, times=9) == []


def test_a_kernel_that_degenerates_later_is_reported_later() -> None:
    kernel, x, y = RBF(1.1101), torch.randn(50, 4), torch.randn(50, 4)
    assert (messages_of(kernel, x, y, times=5), len(messages_of(kernel, 1e4 * x, 1e4 * y, times=40))) == ([], 1)


def test_collapsed_codes_and_codes_that_are_not_finite_are_no_fault_of_the_kernel() -> None:
    """Beside collapsed codes a prior's own spread counts."""
    same, nan = torch.full((40, 3), 2.5), torch.full((9, 3), torch.nan)
    for width in (0.00112, 112010.0):
        assert messages_of(RBF(width), same, same, times=4) == []
    for codes in (1e-5 * torch.randn(40, 3), torch.zeros(40, 3)):
        assert messages_of(RBF((0.7, 2.1131)), codes, times=4) == []
    assert messages_of(RBF(0.00114), nan, torch.randn(9, 3)) == []


def test_the_memory_of_kernels_is_bounded() -> None:
    x = torch.randn(4, 3)
    for i in range(degenerate.CACHED_HISTORIES + 50):
        mmd2(x, x + 1, kernel=RBF(1.0 + i / 1000))
    assert degenerate._history.cache_info().currsize <= degenerate.CACHED_HISTORIES
