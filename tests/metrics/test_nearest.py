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


def test_a_black_image_of_zeros_has_no_direction() -> None:
    assert nearest(torch.zeros(1, 4), torch.ones(2, 4)).distances.isnan().all()


def test_no_images_have_no_neighbours() -> None:
    assert nearest(torch.zeros(0, 4), torch.ones(2, 4)).indices.shape == (0,)


@pytest.mark.parametrize(("images", "references", "measure", "message"), [
    (torch.zeros(2, 4), torch.zeros(2, 5), "cosine", r"references: expected at least one of shape \(4,\)"),
    (torch.zeros(2, 4), torch.zeros(0, 4), "cosine", r"references: expected at least one"),
    (torch.zeros(2, 4), torch.zeros(2, 4), "euclid", r"measure: expected one of 'cosine', 'mse', got 'euclid'"),
])  # fmt: skip
def test_bad_input_is_named(images: torch.Tensor, references: torch.Tensor, measure: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest(images, references, measure)


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


def test_what_is_not_finite_is_counted() -> None:
    images = torch.zeros(4, 2)
    images[1, 0] = torch.nan
    with pytest.raises(ValueError, match="images: expected finite values, got 1 of 4"):
        nearest(images, torch.ones(2, 2))


def test_with_one_left_out_there_must_be_another() -> None:
    with pytest.raises(ValueError, match=r"references: expected two where one is left out, got .*\(1, 4\)"):
        nearest(torch.zeros(2, 4), torch.zeros(1, 4), leave_out=torch.zeros(2, dtype=torch.long))
