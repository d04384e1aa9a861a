"""Precision and randomness that everything shares."""

import pytest
import torch

from interpreg import _numerics

HALF, SINGLE, DOUBLE = (torch.ones(2, dtype=t) for t in (torch.bfloat16, torch.float32, torch.float64))


def test_the_widest_type_is_single_precision_at_least() -> None:
    assert _numerics.wide_dtype(HALF) == _numerics.wide_dtype(HALF, SINGLE) == torch.float32
    assert _numerics.wide_dtype(HALF, DOUBLE) == torch.float64
    assert [each.dtype for each in _numerics.widen(HALF, SINGLE)] == [torch.float32] * 2
    assert _numerics.as_wide(DOUBLE) is DOUBLE


def test_distances_are_taken_without_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert (SINGLE[None] @ SINGLE[:, None]).dtype == torch.bfloat16
        with _numerics.full_precision(SINGLE):
            assert (SINGLE[None] @ SINGLE[:, None]).dtype == torch.float32


@pytest.mark.parametrize("draw", [_numerics.uniform, _numerics.normal])
def test_draws_are_wide_and_the_generators(draw) -> None:
    state = torch.get_rng_state()
    one, same, other = (draw((50,), HALF, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert one.dtype == torch.float32
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(draw((50,), HALF), draw((50,), HALF))
