"""The metrics of a report, one function a group: those that apply to the data, in order."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from interpreg._types import Network
from interpreg.datasets import Samples
from interpreg.metrics import (
    PathScores,
    admissibility,
    clustering,
    dead_units,
    frechet_distance,
    latent_correlation,
    linear_probe,
    path_scores,
    perceptual_path_length,
)
from interpreg.report.metric import Metric
from interpreg.report.subject import EQUAL_CODES, Subject

MAX_FEATURES = 1024  # of a Frechet distance: with more it is slow and dominated by the number of samples


def reconstruction(subject: Subject) -> Iterator[Metric]:
    """The error on held-out samples."""
    group, data = "Reconstruction", subject.data.images
    error = (subject.x_hat - data).double().square().mean().item()
    variance = (data - data.mean(0)).double().square().mean().item()
    yield Metric(
        group, "reconstruction_error", "reconstruction error", error, "0",
        f"mean squared, an element; a constant output, the mean sample, has {variance:.4f}",
    )  # fmt: skip


def paths(subject: Subject, references: Samples) -> Iterator[Metric]:
    """ACAI's scores against the references."""
    group = "Interpolants and real samples"

    def scores(images: Tensor) -> PathScores:
        return path_scores(
            images, references.images, references.parameters, period=references.period or None,
            progress=subject.settings.progress,
        )  # fmt: skip

    model, baseline = scores(subject.paths), scores(subject.baseline_paths)
    distance = Metric(
        group, "mean_distance", "mean distance", model.mean_distance, "0",
        "cosine distance of all images of a path to the nearest real one (ACAI, eq. 6; the paper prints it x 1,000)",
        baseline.mean_distance,
    )  # fmt: skip
    # a collapsed model may decode every code to one real image, of distance 0
    yield replace(distance, value=None, undefined=subject.collapse) if subject.collapse else distance
    if references.parameters is None:
        return
    detour = None if model.undefined == model.paths else model.detour
    rows = (
        ("smoothness", "smoothness", model.smoothness, baseline.smoothness,
         "the largest step of the matched parameter as a share of the whole way, minus the least possible "
         "(ACAI, eq. 7); over the paths where it is defined"),
        ("smoothness_paper", "smoothness, as published", model.smoothness_paper, baseline.smoothness_paper,
         "the same, where paths that do not turn count as perfect, as in the published code"),
        ("detour", "detour", detour, baseline.detour,
         "the way beyond the shortest one, as a share of the largest distance of parameters"),
        ("smoothness_undefined", "paths of undefined smoothness", model.undefined, baseline.undefined,
         f"of {model.paths}: both ends are nearest to the same real sample"),
    )  # fmt: skip
    reason = "no path's ends are matched to different parameters"
    for key, name, value, other, note in rows:
        yield Metric(group, key, name, value, "0", note, other, reason)


def conditions(subject: Subject, references: Samples) -> Iterator[Metric]:
    """AEAI's four conditions."""
    group = "Is it an admissible interpolation"
    model, baseline = (
        admissibility(
            images, subject.start, subject.end, references=references.images, progress=subject.settings.progress
        )
        for images in (subject.paths, subject.baseline_paths)
    )
    rows = (
        ("boundary", "boundary", "0", "mean squared error of the paths' ends against the samples"),
        ("monotonicity", "monotonicity", "1", "share of steps that lead away from the start and nearer to the end"),
        ("backtrack", "steps back", "0", "the part of the way, by the distance to the ends, that leads back"),
        ("unevenness", "unevenness", "1", "the largest speed over the mean speed of a path"),
        ("lipschitz", "Lipschitz constant", "lower", "the largest speed of any step, in the norm of a whole sample"),
        ("credibility", "credibility", "1",
         "share of interpolants as near to a real sample as 95 % of held-out real ones are to another"),
    )  # fmt: skip
    for key, name, best, note in rows:
        value, other = getattr(model, key), getattr(baseline, key)
        yield Metric(group, key, name, value, best, note, other, "every path is stationary")
    note = f"of {model.paths}: on these all but the boundary is undefined"
    yield Metric(group, "stationary", "stationary paths", model.stationary, "0", note, baseline.stationary)


def decoded(subject: Subject, references: Samples, features: Network | None) -> Iterator[Metric]:
    """Path length and Frechet distance, by the pixels or by ``features``."""
    group = "Interpolants and features" if features is not None else "Interpolants, by their pixels"
    settings = subject.settings
    length = partial(Metric, group, "path_length", "perceptual path length", best="lower")
    distance = partial(Metric, group, "frechet_distance", "Frechet distance", best="0")
    if subject.collapse:
        yield length(None, undefined=subject.collapse)
        yield distance(None, undefined=subject.collapse)
        return
    features = None if features is None else subject.on_device(features)
    path_length = partial(
        perceptual_path_length, features=features, draws=4,
        generator=torch.Generator().manual_seed(settings.seed),
        batch_size=settings.batch_size, progress=settings.progress,
    )  # fmt: skip
    start, end = (subject.codes[indices] for indices in subject.pairs)
    model = path_length(subject.on_device(subject.decoder), start, end, kind=settings.kind).mean
    baseline = path_length(torch.nn.Identity(), subject.start, subject.end).mean
    note = "mean squared speed of the features along the path"
    yield length(model, note=note, baseline=baseline, undefined="every path is stationary")
    interpolants, crossfades = (p[:, 1:-1].flatten(0, 1) for p in (subject.paths, subject.baseline_paths))
    width = interpolants[0].numel() if features is None else features(interpolants[:2])[0].numel()
    count = min(len(interpolants), len(references))
    if width > MAX_FEATURES or count <= width:
        reason = f"{width} features an image and {count} images; give features= of fewer numbers, or more images"
        yield distance(None, undefined=reason)
        return
    model, baseline = (
        frechet_distance(images, references.images, features=features, progress=settings.progress)
        for images in (interpolants, crossfades)
    )
    note = "of all interpolants from the real samples, as normal distributions; depends on their number"
    yield distance(model, note=note, baseline=baseline)


def codes(subject: Subject) -> Iterator[Metric]:
    """Statistics of the codes; probe and clusters where there are labels."""
    group, size, equal = "Codes", subject.codes[0].numel(), subject.equal_codes
    yield Metric(group, "code_size", "elements of a code", size)
    dead = size if equal else dead_units(subject.codes)
    yield Metric(group, "dead_units", "elements that never change", dead, "0", "without information")
    yield Metric(
        group, "latent_correlation", "correlation of elements",
        None if equal else latent_correlation(subject.codes), "0",
        "mean absolute correlation of two different elements (MIDR-AE, Table 1)",
        undefined=EQUAL_CODES if equal else "fewer than two elements change",
    )  # fmt: skip
    if subject.data.labels is not None and subject.train.labels is not None:
        yield from _labelled(subject, group, subject.train.labels, subject.data.labels)


def _labelled(subject: Subject, group: str, train_labels: Tensor, labels: Tensor) -> Iterator[Metric]:
    settings = subject.settings
    reason = _no_probe(subject, train_labels, labels)
    names = (
        ("linear_probe", "linear probe accuracy", "of a linear classifier fitted to training codes, on held-out ones"),
        ("clustering_accuracy", "clustering accuracy",
         f"k-means on whitened codes, the best of {settings.restarts} restarts (ACAI, section 4.2)"),
        ("nmi", "clusters and classes, NMI", "normalised mutual information"),
        ("ari", "clusters and classes, ARI", "adjusted Rand index; 0 by chance"),
    )  # fmt: skip
    values: tuple[float | None, ...] = (None,) * len(names)
    if not reason:
        data = subject.train_codes, train_labels, subject.codes, labels
        clusters = clustering(*data, restarts=settings.restarts, seed=settings.seed, progress=settings.progress)
        values = linear_probe(*data), clusters.accuracy, clusters.nmi, clusters.ari
    for (key, name, note), value in zip(names, values, strict=True):
        yield Metric(group, key, name, value, "1", note, undefined=reason)


def _no_probe(subject: Subject, train_labels: Tensor, labels: Tensor) -> str:
    """The reason for leaving out the probe and the clusters, or ""."""
    classes = train_labels.unique()
    if len(classes) < 2:
        return "a single class"
    untrained = set(labels.unique().tolist()) - set(classes.tolist())
    if untrained:
        return f"held-out samples of {len(untrained)} classes without training samples"
    flat = subject.train_codes.flatten(1)
    return EQUAL_CODES if subject.equal_codes or bool((flat == flat[0]).all()) else ""
