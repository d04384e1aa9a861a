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
    _codes,
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

FAILED = "failed"
# titles of groups
PATHS, CONDITIONS = "Interpolants and real samples", "Is it an admissible interpolation"
CODES = "Codes"
MAX_CORRELATED = 4096  # elements of a code whose correlations are taken
MAX_FITTED_NUMBERS = 2**27  # elements of all codes that are fitted to: 1 GiB in float64
MAX_FEATURES = 1024  # of a Frechet distance: with more it is slow and dominated by the number of samples


def attempted(group: str, key: str, name: str, metrics: Iterator[Metric]) -> list[Metric]:
    """The metrics; where computing them fails, those so far, and one without a value that gives the reason."""
    found: list[Metric] = []
    try:
        for metric in metrics:
            found.append(metric)
    except ImportError:  # which the caller can mend
        raise
    except Exception as error:
        found.append(Metric(group, key, name, None, undefined=failure(error)))
    return found


def failure(error: Exception) -> str:
    """The reason that a failed computation leaves behind, in a line."""
    text = str(error).strip() or "without a message"
    return f"{FAILED}, {type(error).__name__}: {text.splitlines()[0]}"


def reconstruction(subject: Subject) -> Iterator[Metric]:
    """The error on held-out samples."""
    group, data = "Reconstruction", subject.data.images
    variance = _codes.mean_squared_error(data, data.mean(0).expand_as(data))
    yield Metric(
        group, "reconstruction_error", "reconstruction error", _codes.mean_squared_error(subject.x_hat, data), "0",
        f"mean squared, an element; a constant output, the mean sample, has {variance:.4f}",
    )  # fmt: skip


def paths(subject: Subject, references: Samples) -> Iterator[Metric]:
    """ACAI's scores against the references."""
    group = PATHS

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
    group = CONDITIONS
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


def path_length(subject: Subject, features: Network | None) -> Iterator[Metric]:
    """The perceptual path length, by the pixels or by ``features``."""
    settings, size = subject.settings, subject.codes[0].numel()
    length = partial(Metric, decoded_group(features), "path_length", "perceptual path length", best="lower")
    if subject.collapse:
        yield length(None, undefined=subject.collapse)
        return
    measured = partial(
        perceptual_path_length, features=features, draws=4,
        generator=torch.Generator().manual_seed(settings.seed),
        batch_size=max(1, min(settings.batch_size, _codes.NUMBERS_PER_BLOCK // size)), progress=settings.progress,
    )  # fmt: skip
    start, end = (subject.codes[indices] for indices in subject.pairs)
    model = measured(subject.on_device("decoder", subject.decoder), start, end, kind=settings.kind).mean
    baseline = measured(torch.nn.Identity(), subject.start, subject.end).mean
    note = "mean squared speed of the features along the path"
    yield length(model, note=note, baseline=baseline, undefined="every path is stationary")


def frechet(subject: Subject, references: Samples, features: Network | None) -> Iterator[Metric]:
    """The Frechet distance of interpolants from real samples."""
    distance = partial(Metric, decoded_group(features), "frechet_distance", "Frechet distance", best="0")
    if subject.collapse:
        yield distance(None, undefined=subject.collapse)
        return
    interpolants, crossfades = (p[:, 1:-1].flatten(0, 1) for p in (subject.paths, subject.baseline_paths))
    width = interpolants[0].numel() if features is None else features(interpolants[:2])[0].numel()
    count = min(len(interpolants), len(references))
    if width > MAX_FEATURES or count <= width:
        reason = f"{width} features an image and {count} images; give features= of fewer numbers, or more images"
        yield distance(None, undefined=reason)
        return
    model, baseline = (
        frechet_distance(images, references.images, features=features, progress=subject.settings.progress)
        for images in (interpolants, crossfades)
    )
    note = "of all interpolants from the real samples, as normal distributions; depends on their number"
    yield distance(model, note=note, baseline=baseline)


def decoded_group(features: Network | None) -> str:
    """The title of both."""
    return "Interpolants and features" if features is not None else "Interpolants, by their pixels"


def codes(subject: Subject) -> Iterator[Metric]:
    """Statistics of the codes."""
    size, equal = subject.codes[0].numel(), subject.equal_codes
    yield Metric(CODES, "code_size", "elements of a code", size)
    dead = size if equal else dead_units(subject.codes)
    yield Metric(CODES, "dead_units", "elements that never change", dead, "0", "without information")


def related(subject: Subject) -> Iterator[Metric]:
    """The correlation of the code's elements, of a random selection where there are many."""
    codes, equal, among = subject.codes.reshape(len(subject.codes), -1), subject.equal_codes, ""
    if codes.shape[1] > MAX_CORRELATED:
        generator = torch.Generator().manual_seed(subject.settings.seed)
        selection = torch.randperm(codes.shape[1], generator=generator)[:MAX_CORRELATED]
        codes, among = codes[:, selection.to(codes.device)], f", among {MAX_CORRELATED:,} random ones"
    yield Metric(
        CODES, "latent_correlation", "correlation of elements",
        None if equal else latent_correlation(codes), "0",
        f"mean absolute correlation of two different elements{among} (MIDR-AE, Table 1)",
        undefined=EQUAL_CODES if equal else "fewer than two elements change",
    )  # fmt: skip


def probe(subject: Subject, train_labels: Tensor, labels: Tensor) -> Iterator[Metric]:
    """The accuracy of a linear classifier."""
    reason = _no_probe(subject, train_labels, labels)
    accuracy = None if reason else linear_probe(subject.train_codes, train_labels, subject.codes, labels)
    note = "of a linear classifier fitted to training codes, on held-out ones"
    yield Metric(CODES, "linear_probe", "linear probe accuracy", accuracy, "1", note, undefined=reason)


def clusters(subject: Subject, train_labels: Tensor, labels: Tensor) -> Iterator[Metric]:
    """The agreement of clusters with classes."""
    settings, reason = subject.settings, _no_probe(subject, train_labels, labels)
    names = (
        ("clustering_accuracy", "clustering accuracy",
         f"k-means on whitened codes, the best of {settings.restarts} restarts (ACAI, section 4.2)"),
        ("nmi", "clusters and classes, NMI", "normalised mutual information"),
        ("ari", "clusters and classes, ARI", "adjusted Rand index; 0 by chance"),
    )  # fmt: skip
    values: tuple[float | None, ...] = (None,) * len(names)
    if not reason:
        result = clustering(
            subject.train_codes, train_labels, subject.codes, labels,
            restarts=settings.restarts, seed=settings.seed, progress=settings.progress,
        )  # fmt: skip
        values = result.accuracy, result.nmi, result.ari
    for (key, name, note), value in zip(names, values, strict=True):
        yield Metric(CODES, key, name, value, "1", note, undefined=reason)


def _no_probe(subject: Subject, train_labels: Tensor, labels: Tensor) -> str:
    """The reason for leaving out the probe and the clusters, or ""."""
    size, count = subject.codes[0].numel(), len(train_labels) + len(labels)
    if size * count > MAX_FITTED_NUMBERS:
        return f"{count:,} codes of {size:,} elements are too many numbers; give fewer samples, or smaller codes"
    classes = train_labels.unique()
    if len(classes) < 2:
        return "a single class"
    untrained = set(labels.unique().tolist()) - set(classes.tolist())
    if untrained:
        return f"held-out samples of {len(untrained)} classes without training samples"
    flat = subject.train_codes.reshape(len(subject.train_codes), -1)
    return EQUAL_CODES if subject.equal_codes or bool((flat == flat[0]).all()) else ""
