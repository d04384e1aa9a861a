"""The players' losses against torch's own and against their optima."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from interpreg.functional.game import GAMES


def test_bce_is_torchs() -> None:
    judgement, alpha = 3 * torch.randn(50), torch.rand(50)
    game = GAMES["bce"]
    torch.testing.assert_close(game.generator(judgement), bce(judgement, torch.ones(50)))
    torch.testing.assert_close(game.critic_real(judgement), bce(judgement, torch.ones(50)))
    torch.testing.assert_close(game.critic_mix(judgement, alpha), bce(judgement, torch.zeros(50)))


def test_hinge_has_its_margins() -> None:
    game, alpha = GAMES["hinge"], torch.zeros(2)
    assert game.critic_real(torch.tensor([1.0, 5.0])) == 0
    assert game.critic_mix(torch.tensor([-1.0, -5.0]), alpha) == 0
    assert (game.critic_real(torch.tensor([0.0, 0.0])), game.generator(torch.tensor([2.0, 4.0]))) == (1, -3)


def test_the_best_constant_critic_answers_the_mean_coefficient() -> None:
    """For alpha uniform on [0, 1/2]: 1/48 at 1/4, and 1/12 at 0."""
    alpha = torch.linspace(0, 0.5, 100_001, dtype=torch.float64)
    on_mix = GAMES["regression"].critic_mix
    assert on_mix(torch.full_like(alpha, 0.25), alpha).item() == pytest.approx(1 / 48, rel=1e-4)
    assert on_mix(torch.zeros_like(alpha), alpha).item() == pytest.approx(1 / 12, rel=1e-4)


@pytest.mark.parametrize("name", GAMES)
def test_half_precision_is_reduced_in_single(name: str) -> None:
    judgement = torch.full((4096,), 100.0).half()  # whose squares do not fit in half precision when summed
    game = GAMES[name]
    for loss in (
        game.generator(judgement),
        game.critic_mix(judgement, torch.zeros(4096)),
        game.critic_real(judgement),
    ):
        assert loss.dtype == torch.float32
        assert loss.isfinite()


def test_a_coefficient_of_another_shape_is_refused_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"alpha: expected the judgement's shape \(8,\), got \(8, 1, 1, 1\)"):
        GAMES["regression"].critic_mix(torch.zeros(8), torch.zeros(8, 1, 1, 1))
