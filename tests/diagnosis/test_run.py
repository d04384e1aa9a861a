"""A diagnosis of what is healthy finds nothing, and refuses what it cannot run."""

import pytest
import torch
from everyone import REGULARIZERS
from torch import nn
from zoo import PAIRS, vector_pair

from interpreg import AAERegularizer, ACAIRegularizer, Critic, Reconstruction, Regularizer, diagnose


def optimizer(reg: Regularizer) -> torch.optim.Optimizer:
    return torch.optim.Adam([*reg.encoder.parameters(), *reg.decoder.parameters(), *reg.parameters()])


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("pair", PAIRS)
def test_healthy_regularizers_have_no_findings(name: str, pair: str) -> None:
    encoder, decoder, x = PAIRS[pair](16)
    reg = REGULARIZERS[name](encoder, decoder)
    diagnosis = diagnose(reg, x, optimizer(reg))
    assert diagnosis.kinds == (), str(diagnosis)
    assert not diagnosis
    assert [term.name for term in diagnosis.terms] == list(reg(x))


def test_a_critic_of_which_nothing_depends_on_its_input_is_found() -> None:
    encoder, decoder, x = PAIRS["rank 3"](16)
    diagnosis = diagnose(ACAIRegularizer(nn.Sequential(encoder, nn.LayerNorm(6)), decoder), x)
    assert diagnosis.kinds == ("dwarfed_term",)
    assert "'interpolation'" in diagnosis[0].message


@pytest.mark.fault(
    "Data", "A batch that is too small for a term, or for batch statistics.", now="`diagnose`: `batch_too_small`"
)
def test_small_batches() -> None:
    encoder, decoder, x = vector_pair(1)
    diagnosis = diagnose(Critic(encoder, decoder), x)
    assert (diagnosis.kinds, diagnosis.terms) == (("batch_too_small",), ())
    assert "expected" in diagnosis[0].message
    encoder.insert(2, nn.BatchNorm1d(16))
    assert diagnose(Reconstruction(encoder, decoder), x).kinds == ("batch_too_small",)
    assert diagnose(Reconstruction(encoder.eval(), decoder), x).kinds == ()


def test_arguments(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder)
    with pytest.raises(TypeError, match="reg: expected a regularizer, got a Sequential"):
        diagnose(encoder, x)
    with pytest.raises(TypeError, match="optimizers: expected optimizers, got a list of length 0"):
        diagnose(reg, x, [])
    with pytest.raises(TypeError, match="x: expected a floating point tensor"):
        diagnose(reg, x.long())
    with pytest.raises(ValueError, match="call reg\\(x\\) once before"):
        diagnose(Reconstruction(nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), decoder), x)


def test_in_evaluation_and_without_gradients_it_finds_the_same(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    with torch.inference_mode():
        inference = x.clone()
        assert diagnose(reg.eval(), inference, optimizer(reg)).kinds == ()


def test_a_latent_critic_that_is_lazy_is_diagnosed_after_its_first_batch(encoder, decoder, x) -> None:
    reg = AAERegularizer(encoder, decoder)
    reg(x)
    assert diagnose(reg, x, optimizer(reg)).kinds == ()
