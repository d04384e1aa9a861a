"""What every regularizer is: a name, terms, an objective for each player."""

import pytest
import torch
from zoo import Zoo

from interpreg import ACAIRegularizer, Batch, Critic, Regularizer, Term


def test_the_smallest_extension_is_one_method(pair: Zoo) -> None:
    class Sparse(Regularizer):
        name = "sparse"

        def terms(self, batch: Batch) -> dict[str, Term]:
            return {"sparse": Term(batch.z.abs().mean(), 0.1)}

    total = Sparse(pair.encoder, pair.decoder) + ACAIRegularizer(pair.encoder, pair.decoder)
    losses = total(pair.x)
    assert losses["sparse"].item() == pytest.approx(0.1 * pair.encoder(pair.x).abs().mean().item())


@pytest.mark.parametrize("name", [None, 3])
def test_a_term_without_a_name_is_refused_when_it_is_made(name: object, pair: Zoo) -> None:
    class Nameless(Regularizer):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return {}

    if name is not None:
        Nameless.name = name
    with pytest.raises(TypeError, match=rf"name: expected a class attribute of Nameless, a str, got {name}"):
        Nameless(pair.encoder, pair.decoder)


def test_optimizers_that_lack_a_critic_are_told_how_much_and_whole_ones_are_not(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    own, others = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (critic, pair.encoder))
    with pytest.raises(ValueError, match=r"optimizers: expected every parameter of Critic, but 4 are in none"):
        critic.check_optimizers(others)
    critic.check_optimizers(others, own)
