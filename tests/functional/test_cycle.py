"""The loss of cycle consistency: a mean square over what is valid."""

import pytest
import torch

from interpreg.functional import cycle_loss


def test_it_is_a_mean_square_of_valid_positions_in_fp32() -> None:
    z, mask = torch.randn(3, 4, 2), torch.tensor([[True, True, False, False]] * 3)
    far = torch.where(mask[..., None], z + 2, z + 50)
    torch.testing.assert_close(cycle_loss(z, far, mask), torch.tensor(4.0))
    big = torch.full((2, 2), 300.0, dtype=torch.float16)  # its square is none of fp16's
    assert cycle_loss(big, torch.zeros_like(big)) == 90000.0


def test_codes_of_another_shape_are_named() -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"reencoded: expected the shape of z_mix, \(2, 3\), got"):
        cycle_loss(z, z[:, :1])
