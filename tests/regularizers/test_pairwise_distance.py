"""The term that keeps distances, and its gradient."""

import copy

import pytest
import torch
from step_for_step import straight_distance
from zoo import convolutional_pair, token_pair, vector_pair

from interpreg import PairwiseDistance


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, token_pair])
def test_distances_are_their_formula_with_its_gradient(make_pair) -> None:
    pair = make_pair()
    twin = copy.deepcopy(pair.encoder)
    reg = PairwiseDistance(pair.encoder, pair.decoder, weight=0.3)
    loss = reg(pair.x)["distance"]
    expected = 0.3 * straight_distance(pair.x, twin(pair.x))
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    for p, q in zip(pair.encoder.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=2e-5, atol=1e-6)
