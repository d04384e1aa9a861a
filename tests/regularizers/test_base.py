"""What every regularizer is: a name, terms, an objective for each player."""

import pytest
import torch
from torch import nn
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


def test_optimizers_that_lack_a_critic_are_told_how_much_and_whole_ones_are_not(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    own, theirs = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (critic, pair.encoder))
    with pytest.raises(
        ValueError, match=r"optimizers: expected every parameter of Critic, but 4 are in none .*reg.p"
    ):
        critic.check_optimizers(theirs)
    critic.check_optimizers(theirs, own)


def test_networks_cannot_be_replaced_after_construction(pair: Zoo) -> None:
    critic = Critic(pair.encoder, pair.decoder)
    for name in ("encoder", "decoder", "network", "critic"):
        with pytest.raises(AttributeError, match=f"{name}: expected no assignment after Critic was made"):
            setattr(critic, name, nn.Identity())


def test_a_subclass_without_a_name_is_refused(pair: Zoo) -> None:
    class Nameless(Regularizer):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return {}

    with pytest.raises(TypeError, match=r"name: expected a class attribute of Nameless, a str, got None"):
        Nameless(pair.encoder, pair.decoder)
