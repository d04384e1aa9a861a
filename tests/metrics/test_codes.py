"""Probes and clusters on codes whose answer is known."""

import pytest
import torch
from torch import Tensor

from interpreg.metrics import clustering_accuracy, linear_probe


def blobs(n: int, spread: float = 0.1) -> tuple[Tensor, Tensor]:
    labels = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 0.0, 5.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    return centres[labels] + spread * torch.randn(n, 3), labels


@pytest.mark.parametrize("measure", [linear_probe, clustering_accuracy])
def test_separate_classes_are_found(measure) -> None:
    assert measure(*blobs(90), *blobs(60)) == 1.0


@pytest.mark.parametrize("measure", [linear_probe, clustering_accuracy])
def test_labels_that_have_nothing_to_do_with_the_codes_are_not(measure) -> None:
    codes, labels = blobs(300)
    test_codes, _ = blobs(300)
    assert measure(codes, labels[torch.randperm(300)], test_codes, torch.randint(3, (300,))) < 0.5


def test_clusters_are_matched_one_to_one() -> None:
    """Two of three classes in one blob: at best 2/3 right, though every cluster is pure in its majority."""
    codes, labels = blobs(300)
    merged = torch.where(labels == 2, 1, labels)
    found = clustering_accuracy(codes, labels, codes, merged)
    assert found == pytest.approx(2 / 3)


def test_whitening_makes_scale_and_rotation_irrelevant() -> None:
    (codes, labels), (test_codes, test_labels) = blobs(90, 0.5), blobs(60, 0.5)
    turn = torch.linalg.qr(torch.randn(3, 3)).Q * torch.tensor([1.0, 100.0, 0.01])
    assert clustering_accuracy(codes, labels, test_codes, test_labels) == pytest.approx(
        clustering_accuracy(codes @ turn, labels, test_codes @ turn, test_labels)
    )


def test_whitening_keeps_a_loud_direction_from_drowning_the_classes() -> None:
    """A fourth dimension of noise a thousand times as large: k-means on raw codes would cut along it."""

    def noisy(n: int) -> tuple[Tensor, Tensor]:
        codes, labels = blobs(n)
        return torch.cat([codes, 1000 * torch.rand(n, 1)], dim=1), labels

    assert clustering_accuracy(*noisy(300), *noisy(300)) > 0.9


def test_codes_of_any_rank_are_flattened() -> None:
    (codes, labels), (test_codes, test_labels) = blobs(90), blobs(60)
    shaped = codes.view(90, 3, 1, 1), labels, test_codes.view(60, 3, 1, 1), test_labels
    assert linear_probe(*shaped) == clustering_accuracy(*shaped) == 1.0


@pytest.mark.parametrize("measure", [linear_probe, clustering_accuracy])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(90, dtype=torch.long)}, r"labels: expected at least two classes, got 1"),
        ({"labels": torch.zeros(89, dtype=torch.long)}, r"labels: expected whole numbers of shape \[90\]"),
        ({"labels": torch.zeros(90)}, r"labels: expected whole numbers"),
        ({"codes": torch.full((90, 3), torch.nan)}, r"codes: expected finite codes"),
        ({"test_codes": torch.full((60, 3), torch.inf)}, r"test_codes: expected finite codes"),
    ],
)
def test_bad_input_is_named(measure, change: dict[str, Tensor], message: str) -> None:
    (codes, labels), (test_codes, test_labels) = blobs(90), blobs(60)
    arguments = {"codes": codes, "labels": labels, "test_codes": test_codes, "test_labels": test_labels} | change
    with pytest.raises(ValueError, match=message):
        measure(**arguments)


def test_a_collapsed_code_has_no_clusters() -> None:
    labels = torch.arange(90) % 3
    with pytest.raises(ValueError, match=r"codes: expected codes that differ from each other"):
        clustering_accuracy(torch.ones(90, 3), labels, torch.ones(90, 3), labels)
