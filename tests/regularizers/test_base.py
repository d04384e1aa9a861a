"""What every regularizer is: a name, terms, an objective for each player."""

import pytest
import torch
from zoo import Zoo

from interpreg import ACAIRegularizer, Batch, Critic, Reconstruction, Regularizer, Term


def test_the_smallest_extension_is_one_method(encoder, decoder, x) -> None:
    class Sparse(Regularizer):
        name = "sparse"

        def terms(self, batch: Batch) -> dict[str, Term]:
            return {"sparse": Term(batch.z.abs().mean(), 0.1)}

    total = Sparse(encoder, decoder) + ACAIRegularizer(encoder, decoder)
    losses = total(x)
    assert losses["sparse"].item() == pytest.approx(0.1 * encoder(x).abs().mean().item())


@pytest.mark.parametrize("name", [None, 3])
def test_a_term_without_a_name_is_refused_when_it_is_made(name: object, encoder, decoder) -> None:
    class Nameless(Regularizer):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return {}

    if name is not None:
        Nameless.name = name
    with pytest.raises(TypeError, match=rf"name: expected a class attribute of Nameless, a str, got {name}"):
        Nameless(encoder, decoder)


def test_optimizers_that_lack_a_critic_are_told_how_much_and_whole_ones_are_not(encoder, decoder) -> None:
    critic = Critic(encoder, decoder)
    own, others = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (critic, encoder))
    with pytest.raises(ValueError, match=r"optimizers: expected every parameter of Critic, but 4 are in none"):
        critic.check_optimizers(others)
    critic.check_optimizers(others, own)


@pytest.mark.parametrize("name", ["", "a.b", "keys", "a b"])
def test_a_name_that_no_submodule_can_have_is_refused(name: str, pair: Zoo) -> None:
    class Odd(Reconstruction):
        pass

    Odd.name = name
    with pytest.raises(
        ValueError, match=r"name: expected an identifier that is no attribute of nn.ModuleDict, got"
    ):
        Odd(pair.encoder, pair.decoder)


@pytest.mark.parametrize("terms", [None, torch.ones(()), Term(torch.ones(()), 1.0)])
def test_terms_that_are_no_dictionary_are_named(terms: object, pair: Zoo) -> None:
    class Odd(Reconstruction):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return terms

    odd = Odd(pair.encoder, pair.decoder)
    for reg in (odd, odd + Reconstruction(pair.encoder, pair.decoder)):
        with pytest.raises(TypeError, match=r"terms: expected a dict of Odd's terms by their names, got"):
            reg(pair.x)


@pytest.mark.fault(
    "Arguments", "Losses are renamed, as `'train/' + name`, before `reg.split`, which knows players by their names.",
    now="`ValueError`; the critic's losses were taken for the autoencoder's",
)  # fmt: skip
def test_losses_are_split_under_their_own_names(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    losses = reg(x)
    players = reg.split(losses)
    assert players.critic == losses["critic/interpolation"] + losses["critic/real"]
    with pytest.raises(ValueError, match=r"losses: expected the names that reg\(x\) returns, got 'train/critic/"):
        reg.split({f"train/{name}": loss for name, loss in losses.items()})
    for wrong in ({}, sum(losses.values()), None):
        with pytest.raises(TypeError, match=r"losses: expected the dict that reg\(x\) returns, got"):
            reg.split(wrong)
