"""The batch of a diagnosis: which leaves and gradients belong to whom."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from interpreg import ACAIRegularizer, diagnose
from interpreg.diagnosis.case import Case


def case_of(reg, x) -> Case:
    case = Case(reg, x, None, ())
    case.run()
    return case


def test_the_players_and_their_gradients(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder) + ACAIRegularizer(encoder, decoder, reconstruction=None)
    case = case_of(reg, x)
    assert list(case.roles) == ["encoder", "decoder", "critic", "critic_2"]
    assert [part.network for part in case.critics.values()] == [case.roles["critic"], case.roles["critic_2"]]
    assert case.critic_terms == [
        "critic/interpolation", "critic/real", "critic/interpolation_2", "critic/real_2"
    ]  # fmt: skip
    assert case.of_autoencoder == {id(p) for p in (*encoder.parameters(), *decoder.parameters())}
    assert case.of_critics == {id(p) for p in reg.parameters()}
    expected = torch.autograd.grad(case.losses["reconstruction"], [*encoder.parameters()])
    norm = torch.cat([g.flatten() for g in expected]).norm().item()
    assert abs(case.norm("reconstruction", case.trained_of("encoder")) - norm) < 1e-6 * norm


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_networks_are_diagnosed(encoder, decoder, x, reentrant: bool) -> None:
    """A re-entrant checkpoint hides what is behind it, and nothing is said of that."""
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    reg = ACAIRegularizer(
        lambda x: checkpoint(encoder, x.requires_grad_(reentrant), use_reentrant=reentrant), decoder, critic=critic
    )
    assert diagnose(reg, x).kinds == ()
    assert not x.requires_grad
