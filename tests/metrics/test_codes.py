"""Probes and clusters on codes whose answer is known."""

import math

import pytest
import torch
from torch import Tensor

from interpreg import metrics
from interpreg.metrics import clustering_accuracy, linear_probe


def blobs(n: int) -> tuple[Tensor, Tensor]:
    labels = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 0.0, 5.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    return centres[labels] + 0.1 * torch.randn(n, 3), labels


def test_a_probe_of_labels_that_have_nothing_to_do_with_the_codes_knows_nothing() -> None:
    (codes, labels), (test_codes, _) = blobs(300), blobs(300)
    assert linear_probe(codes, labels[torch.randperm(300)], test_codes, torch.randint(3, (300,))) < 0.5


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


@pytest.mark.fault(
    "Arguments",
    "A measure is given an argument that has no effect, or a seed in place of a generator.",
    now="`ValueError` or `TypeError` that names it",
)
@pytest.mark.parametrize(("measure", "change", "message"), [
    ("path_scores", {"parameters": None, "period": 6.28}, "period: expected None without parameters, got 6.28"),
    ("admissibility", {"quantile": 0.5}, "quantile: expected its default without references"),
    ("admissibility", {"distance": 3}, "distance: expected a module or another callable"),
    ("admissibility", {"distance": lambda a, b: torch.full((len(a),), math.nan)}, "distance: expected finite values"),
    ("admissibility", {"distance": lambda a, b: 0.0}, "distance: expected a tensor, got 0.0"),
    ("admissibility", {"probability": lambda x: [1.0]}, "probability: expected a tensor, got a list"),
    ("perceptual_path_length", {"generator": 42}, "generator: expected a torch.Generator or None, got 42"),
    ("perceptual_path_length", {"decoder": lambda z: (z, z)},
     r"decoder: expected a tensor, got a tuple .* decoder=lambda z: decoder\(z\)\[0\]"),
    ("error_by_interval", {"images": 4}, "images: expected numbers of images, such as range"),
    ("error_by_interval", {"images": []}, "images: expected at least one number of images"),
    ("error_by_interval", {"images": [4, 7]}, "images: expected at most as many as there are views, 6, got 7"),
    ("error_by_interval", {"batch_size": 0}, "batch_size: expected an int of at least 1"),
    ("error_by_interval", {"kind": "curved"}, "kind: expected one of"),
    ("error_by_interval", {"step": 0.0}, "step: expected a positive number"),
    ("error_by_interval", {"encoder": 3}, "encoder: expected a module"),
    ("error_by_interval", {"encoder": lambda x: {"z": x}}, r"encoder: .* a dict; .*lambda x: encoder\(x\)\['z'\]"),
])  # fmt: skip
def test_arguments_without_effect_or_of_the_wrong_kind_are_named(measure: str, change: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(metrics, measure)(**GOOD[measure] | change)


@pytest.mark.parametrize("index", [-2, 6])
def test_indices_to_leave_out_are_checked(index: int) -> None:
    x = torch.rand(6, 4)
    with pytest.raises(ValueError, match="leave_out: expected -1 or indices below 6, got some outside"):
        metrics.nearest(x, x, leave_out=torch.tensor([0, 1, 2, 3, 4, index]))
    with pytest.raises(ValueError, match="leave_out: expected whole numbers"):
        metrics.nearest(x, x, leave_out=torch.zeros(6))


@pytest.mark.fault(
    "Numerics",
    "A path has an image of zeros, as black ones in [0, 1]: its cosine distance is 0 / 0, and the mean NaN.",
    now="`ValueError` with their number, and what to give",
)
def test_images_of_zeros_have_no_cosine_distance() -> None:
    paths, references = torch.rand(2, 3, 4), torch.rand(5, 4)
    paths[1, 1] = 0
    with pytest.raises(ValueError, match=r"paths: .* undefined, got 1 of 6; give pixels in \[-1, 1\]"):
        metrics.path_scores(paths, references)
    assert metrics.path_scores(paths, references, measure="mse").mean_distance > 0


def test_a_probe_that_would_not_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="lr: expected a positive number, got 0"):
        metrics.OnlineProbe(4, 2, lr=0)
