"""The checks that everything shares: what they let through, and that errors name what was expected and what came."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from interpreg import Interpolator, _checks

SHAPE = torch.Size((2, 3))


@pytest.mark.parametrize(("check", "arguments", "error", "message"), [
    (_checks.check_tensor, ([1.0, 2.0],), TypeError, "x: expected a tensor, got a list of length 2"),
    (_checks.check_tensor, (None, "; return one"), TypeError, "x: expected a tensor, got None; return one"),
    (_checks.check_tensor, (torch.zeros(2).int(),), TypeError, r"x: .* point tensor, got a torch.int32 tensor"),
    (_checks.check_tensor, (torch.zeros(2) > 0,), TypeError, "x: expected a floating point tensor"),
    (_checks.check_tensor, (torch.tensor(1.0),), ValueError, r"x: expected a batch of shape \[B, ...\], got"),
    (_checks.check_vector, (torch.zeros(2, 1),), ValueError, r"x: expected shape \[n\], got .*\(2, 1\)"),
    (_checks.check_batch_size, (torch.zeros(2), 3), ValueError, r"x: expected a batch of 3 samples, .*\(2,\)"),
    (_checks.check_shape, (torch.zeros(3), SHAPE, "z"), ValueError, r"x: .* shape of z, \(2, 3\), got .*\(3,\)"),
    (_checks.check_one_of, ("c", ("a", None)), ValueError, "x: expected one of 'a', None, got 'c'"),
    (_checks.check_network, (0.5,), TypeError, "x: expected a module or another callable of one tensor, got 0.5"),
    (_checks.check_network, (nn.Linear,), TypeError, "x: expected a module or another .*, got the class Linear"),
    (_checks.as_number, ("1",), TypeError, "x: expected a number, got '1'"),
    (_checks.as_number, (True,), TypeError, "x: expected a number, got True"),
    (_checks.as_number, (-0.1,), ValueError, "x: expected a finite number of at least 0, got -0.1"),
    (_checks.as_number, (math.nan,), ValueError, "x: expected a finite number of at least 0, got nan"),
    (_checks.as_number, (math.inf,), ValueError, "x: expected a finite number of at least 0, got inf"),
    (_checks.as_number, (1.5, 0.0, 1.0), ValueError, r"x: expected a finite number in \[0, 1\], got 1.5"),
    (_checks.as_count, (2.0,), TypeError, "x: expected an int, got 2.0"),
    (_checks.as_count, (True,), TypeError, "x: expected an int, got True"),
    (_checks.as_count, (1, 2), ValueError, "x: expected an int of at least 2, got 1"),
    (_checks.as_interval, (0.5,), TypeError, r"x: expected a pair \(low, high\), got 0.5"),
    (_checks.as_interval, ((0.0, 1.5),), ValueError, r"x: expected a finite number in \[0, 1\], got 1.5"),
    (_checks.as_interval, ((0.5, 0.5),), ValueError, r"x: expected low < high within \[0, 1\], got \(0.5, 0.5\)"),
])  # fmt: skip
def test_what_does_not_fit_is_named(check, arguments: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        check("x", *arguments)


def test_numbers_of_numpy_are_numbers_and_become_pythons() -> None:
    number, count = _checks.as_number("x", np.float32(0.5)), _checks.as_count("x", np.int64(3))
    assert (number, type(number)) == (0.5, float)
    assert (count, type(count)) == (3, int)
    assert _checks.as_interval("x", [0, np.float64(0.5)]) == (0.0, 0.5)


def test_values_are_described_with_their_article() -> None:
    described = [_checks.describe(value) for value in (Interpolator(), nn.Identity(), nn.Linear(2, 2), nn.Linear)]
    assert described == ["an Interpolator", "an Identity", "a Linear", "the class Linear"]
