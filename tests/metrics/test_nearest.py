"""Nearest neighbours against scipy."""

import sys

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from interpreg.metrics import nearest


@pytest.mark.parametrize(("measure", "scipys"), [("cosine", "cosine"), ("mse", "sqeuclidean")])
def test_distances_and_indices_are_scipys(measure: str, scipys: str) -> None:
    images, references = torch.randn(3000, 1, 5, 5), torch.randn(70, 1, 5, 5)
    table = cdist(images.flatten(1), references.flatten(1), scipys) / (25 if measure == "mse" else 1)
    found = nearest(images, references, measure)
    torch.testing.assert_close(found.distances, torch.tensor(table.min(1)))
    assert torch.equal(found.indices, torch.tensor(table.argmin(1)))


def test_far_from_the_origin_nothing_cancels() -> None:
    references = 1000 + torch.arange(5.0)[:, None].double().expand(5, 3)
    found = nearest(references + 0.25, references, "mse")
    torch.testing.assert_close(found.distances, torch.full((5,), 0.0625, dtype=torch.float64))


@pytest.mark.parametrize("measure", ["cosine", "mse"])
def test_a_reference_can_be_left_out(measure) -> None:
    """An image's own copy, over more references than are compared at a time."""
    references = torch.randn(60, 3)
    everyone = torch.arange(60)
    distances, indices = nearest(references, references, measure, leave_out=everyone)
    apart = cdist(references.double(), references.double(), "cosine" if measure == "cosine" else "sqeuclidean")
    apart = apart / (1 if measure == "cosine" else 3) + np.diag([np.inf] * 60)
    np.testing.assert_allclose(distances, apart.min(1), rtol=1e-6, atol=1e-9)
    assert indices.tolist() == apart.argmin(1).tolist()
    nobody = nearest(references, references, measure, leave_out=torch.full((60,), -1))
    assert nobody.indices.tolist() == everyone.tolist()


def test_many_references_are_compared_in_pieces(monkeypatch) -> None:
    images, references = torch.randn(20, 4), torch.randn(50, 4)
    whole = [nearest(images, references, m, leave_out=torch.arange(20)) for m in ("cosine", "mse")]
    monkeypatch.setattr(sys.modules[nearest.__module__], "REFERENCES_PER_BLOCK", 7)
    for found, measure in zip(whole, ("cosine", "mse"), strict=True):
        again = nearest(images, references, measure, leave_out=torch.arange(20))
        assert torch.equal(found.indices, again.indices)
        torch.testing.assert_close(found.distances, again.distances)


ZEROS = torch.zeros(2, 4)


def test_no_images_have_no_neighbours_and_a_black_one_no_direction() -> None:
    assert nearest(ZEROS[:0], torch.ones(2, 4)).indices.shape == (0,)
    assert nearest(ZEROS[:1], torch.ones(2, 4)).distances.isnan().all()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nearest(ZEROS, torch.zeros(2, 5), "cosine"), ValueError,
     r"references: expected at least one of shape \(4,\)"),
    (lambda: nearest(ZEROS, torch.zeros(0, 4), "cosine"), ValueError, r"references: expected at least one"),
    (lambda: nearest(ZEROS, ZEROS, "euclid"), ValueError, r"measure: expected one of 'cosine', 'mse', got 'euclid'"),
    (lambda: nearest(torch.tensor([[0.0], [torch.nan], [0.0], [0.0]]), torch.ones(2, 1)), ValueError,
     "images: expected finite values, got 1 of 4"),
    (lambda: nearest(ZEROS, ZEROS[:1], leave_out=torch.zeros(2).long()), ValueError,
     r"references: expected two where one is left out, got .*\(1, 4\)"),
])  # fmt: skip
def test_bad_input_is_named(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
