"""GAIA's losses of known errors, and its distances against their formula."""

import math

import pytest
import torch
from sequences import valid
from step_for_step import straight_distance

from interpreg.functional import distance_loss, gaia_autoencoder_loss, gaia_critic_loss, gaia_simple_critic_loss
from interpreg.functional.gaia import gaia_balance


def test_what_the_pure_losses_say_of_known_errors() -> None:
    """Numbers by hand: shares of 1/2 where errors agree; a share that is clipped at 0.9; clips at 1."""
    t = torch.tensor
    assert gaia_autoencoder_loss(t(0.3), t(0.3), 0.1).item() == pytest.approx(0.4)
    assert gaia_autoencoder_loss(t(0.5), t(10.0)) == 1
    assert gaia_critic_loss(t(0.0), t(0.2), t(0.8)).item() == pytest.approx(-0.9 * 0.5)
    assert gaia_critic_loss(t(9.0), t(0.2), t(0.8)) == 1
    r_x = t(0.5, requires_grad=True)
    r_i = t(2.0, requires_grad=True)
    loss = gaia_simple_critic_loss(r_x, t(0.25), r_i)
    assert loss == 0.25
    assert [g.item() for g in torch.autograd.grad(loss, [r_x, r_i])] == [0, 0]  # the data's error took both sides
    with pytest.raises(ValueError, match=r"of_data: expected a 0-dim tensor, got a torch.float32 tensor of shape"):
        gaia_critic_loss(torch.ones(2), t(1.0), t(1.0))


def test_distances_of_codes_that_are_far_away_collapsed_or_half_precise() -> None:
    x, z = torch.randn(6, 5), torch.randn(6, 3, requires_grad=True)
    torch.testing.assert_close(distance_loss(x + 1000, z + 1000), straight_distance(x, z), rtol=1e-3, atol=0)
    collapsed = torch.zeros(6, 3, requires_grad=True)
    loss = distance_loss(x, collapsed)
    loss.backward()
    assert loss.isfinite()
    assert collapsed.grad.isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(distance_loss(x, z), straight_distance(x, z).float())


def test_distances_of_sequences_are_those_of_shared_positions() -> None:
    mask = valid()
    x, z = torch.randn(4, 5, 3), torch.randn(4, 5, 2)
    logs = []
    for values in (x, z):
        d = torch.zeros(4, 4)
        for i in range(4):
            for j in range(4):
                both = mask[i] & mask[j]
                d[i, j] = (values[i][both] - values[j][both]).square().mean()
        logs.append(torch.log(1 + d / d.mean()))
    torch.testing.assert_close(distance_loss(x, z, mask), (logs[0] - logs[1]).square().mean())


def test_the_critic_learns_fast_where_it_copies_generated_images_as_well_as_the_data() -> None:
    autoencoder, critic = gaia_balance(torch.tensor(0.5), torch.tensor(0.4), torch.tensor(0.2))
    assert critic.item() == pytest.approx(1 / (1 + math.exp(-20 * (0.5 - 0.3))))
    assert autoencoder.item() == pytest.approx(1 - critic.item(), abs=1e-6)
