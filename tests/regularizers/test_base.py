"""What every regularizer is: a name, terms, an objective for each player."""

import pytest
from zoo import Zoo

from interpreg import ACAIRegularizer, Batch, Regularizer, Term


def test_the_smallest_extension_is_one_method(pair: Zoo) -> None:
    class Sparse(Regularizer):
        name = "sparse"

        def terms(self, batch: Batch) -> dict[str, Term]:
            return {"sparse": Term(batch.z.abs().mean(), 0.1)}

    total = Sparse(pair.encoder, pair.decoder) + ACAIRegularizer(pair.encoder, pair.decoder)
    losses = total(pair.x)
    assert losses["sparse"].item() == pytest.approx(0.1 * pair.encoder(pair.x).abs().mean().item())
