"""Probes and clusters on codes whose answer is known."""

import math

import pytest
import torch
from torch import Tensor

from interpreg import metrics
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
    ours = clustering_accuracy(codes, labels, codes, merged)
    assert ours == pytest.approx(2 / 3)


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


LABELS = torch.arange(12) % 3
SETS = {"codes": torch.randn(12, 3), "labels": LABELS, "test_codes": torch.randn(12, 3), "test_labels": LABELS}
WALK = {"paths": torch.rand(2, 3, 4), "references": torch.rand(5, 4), "parameters": torch.arange(5.0)}
GOOD: dict[str, dict[str, object]] = {  # arguments of every measure
    "correlation": {"codes": torch.randn(12, 3)},
    "latent_correlation": {"codes": torch.randn(12, 3)},
    "dead_units": {"codes": torch.randn(12, 3)},
    "linear_probe": SETS,
    "clustering_accuracy": SETS | {"restarts": 2},
    "frechet_distance": {"images": torch.randn(12, 2), "reference": torch.randn(12, 2)},
    "perceptual_path_length": {"decoder": lambda z: z, "start": torch.randn(6, 4), "end": torch.randn(6, 4)},
    "line_scores": {"paths": torch.rand(1, 3, 1, 8, 8)},
    "path_scores": WALK,
    "retrieved_alpha": WALK | {"start": torch.zeros(2), "end": torch.ones(2)},
    "interpolation_error": {"paths": torch.rand(2, 3, 4), "truth": torch.rand(2, 3, 4)},
    "error_by_interval": {
        "encoder": lambda x: x,
        "decoder": lambda z: z,
        "views": torch.rand(1, 6, 2),
        "images": [4],
    },
    "admissibility": {"paths": torch.rand(2, 3, 4), "start": torch.zeros(2, 4), "end": torch.ones(2, 4)},
}
TENSORS = [
    (measure, name) for measure, good in GOOD.items() for name, value in good.items() if torch.is_tensor(value)
]


@pytest.mark.parametrize(("measure", "name"), TENSORS)
def test_what_is_no_tensor_of_finite_numbers_is_named_by_every_measure(measure: str, name: str) -> None:
    function, good = getattr(metrics, measure), GOOD[measure]
    function(**good)
    with pytest.raises((TypeError, ValueError), match=f"^{name}: expected .*, got a list of length 1"):
        function(**good | {name: [1.0]})
    if "labels" in name:
        for wrong in (LABELS[1:], LABELS.float(), LABELS > 0):
            with pytest.raises(ValueError, match=rf"^{name}: expected whole numbers of shape \[12\], one for"):
                function(**good | {name: wrong})
        return
    with pytest.raises(TypeError, match=f"^{name}: expected a floating point tensor, got a torch.int64"):
        function(**good | {name: good[name].long()})
    broken = good[name].clone()
    broken[:1] = math.nan
    with pytest.raises(ValueError, match=rf"^{name}: expected finite .*, got \d of {len(broken)}|^{name}: .*got"):
        function(**good | {name: broken})


@pytest.mark.parametrize("measure", [linear_probe, clustering_accuracy])
def test_a_single_class_is_none(measure) -> None:
    with pytest.raises(ValueError, match=r"labels: expected at least two classes, got 1"):
        measure(**SETS | {"labels": torch.zeros_like(LABELS), "test_labels": torch.zeros_like(LABELS)})


def test_a_collapsed_code_has_no_clusters() -> None:
    labels = torch.arange(90) % 3
    with pytest.raises(ValueError, match=r"codes: expected codes that differ from each other"):
        clustering_accuracy(torch.ones(90, 3), labels, torch.ones(90, 3), labels)
