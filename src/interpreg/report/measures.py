"""The measures of a report: those that apply to the data at hand, each with what it says."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from interpreg._types import Network
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
from interpreg.report.data import Samples
from interpreg.report.measure import Measure
from interpreg.report.subject import EQUAL_CODES, Subject

WIDE = 1024  # features above which a Frechet distance of pixels says nothing and costs much


def reconstruction(subject: Subject) -> Iterator[Measure]:
    """How well held-out samples survive the code."""
    group, data = "Reconstruction", subject.data.x
    error = (subject.x_hat - data).double().square().mean().item()
    spread = (data - data.mean(0)).double().square().mean().item()
    yield Measure(
        group, "reconstruction_error", "reconstruction error", error, "0",
        f"mean squared, an element; always answering with the mean sample would have {spread:.4f}",
    )  # fmt: skip


def paths(subject: Subject, references: Samples) -> Iterator[Measure]:
    """ACAI's scores against the reference set."""
    group = "Interpolants and real samples"
    period = references.period or None

    def scored(walked: Tensor) -> PathScores:
        return path_scores(
            walked, references.x, references.parameters, period=period, progress=subject.settings.progress
        )

    model, fade = scored(subject.paths), scored(subject.fades)
    yield _unless_collapsed(
        subject, Measure(
            group, "mean_distance", "mean distance", model.mean_distance, "0",
            "cosine distance of all images of a path to the nearest real one (ACAI, eq. 6; the paper prints it "
            "x 1,000)", fade.mean_distance,
        ),
    )  # fmt: skip
    if references.parameters is None:
        return
    nowhere = "no path's ends are matched to different parameters"
    yield Measure(
        group, "smoothness", "smoothness", model.smoothness, "0",
        "the largest step of the matched parameter as a share of the whole way, minus the least possible "
        "(ACAI, eq. 7); over the paths where it is defined", fade.smoothness, nowhere,
    )  # fmt: skip
    yield Measure(
        group, "smoothness_paper", "smoothness, as published", model.smoothness_paper, "0",
        "the same, where paths that do not turn count as perfect, as in the published code",
        fade.smoothness_paper, nowhere,
    )  # fmt: skip
    yield Measure(
        group, "detour", "detour", None if model.undefined == model.paths else model.detour, "0",
        "the way beyond the shortest one, as a share of the farthest that parameters can be apart",
        fade.detour, nowhere,
    )  # fmt: skip
    yield Measure(
        group, "smoothness_undefined", "paths of undefined smoothness", model.undefined, "0",
        f"of {model.paths}: both ends look like the same real sample", fade.undefined,
    )  # fmt: skip


def conditions(subject: Subject, references: Samples) -> Iterator[Measure]:
    """AEAI's four conditions."""
    group = "Is it an admissible interpolation"
    ends, progress = (subject.start, subject.end), subject.settings.progress
    model = admissibility(subject.paths, *ends, references=references.x, progress=progress)
    fade = admissibility(subject.fades, *ends, references=references.x, progress=progress)
    still = "every path stands still"
    rows = (
        ("boundary", "boundary", "0", "mean squared error of the paths' ends against the samples"),
        ("monotonicity", "monotonicity", "1", "share of steps that lead away from the start and nearer to the end"),
        ("backtrack", "steps back", "0", "the part of the way, by the distance to the ends, that is walked back"),
        ("unevenness", "unevenness", "1", "the largest speed over the mean speed of a path"),
        ("lipschitz", "Lipschitz constant", "lower", "the largest speed of any step, in the norm of a whole sample"),
        ("credibility", "credibility", "1",
         "share of interpolants as near to a real sample as 95 % of held-out real ones are to another"),
        ("stationary", "paths that stand still", "0", f"of {model.paths}: on these all but the boundary is undefined"),
    )  # fmt: skip
    for key, name, best, note in rows:
        yield Measure(group, key, name, getattr(model, key), best, note, getattr(fade, key), still)


def decoded(subject: Subject, references: Samples, features: Network | None) -> Iterator[Measure]:
    """Path length and Frechet distance, by the pixels or by the features that were given."""
    group = "Interpolants and features" if features is not None else "Interpolants, by their pixels"
    generator = torch.Generator().manual_seed(subject.settings.seed)
    settings = subject.settings
    if subject.collapse:
        yield Measure(group, "path_length", "perceptual path length", None, "lower", undefined=subject.collapse)
        yield Measure(group, "frechet_distance", "Frechet distance", None, "0", undefined=subject.collapse)
        return
    features = None if features is None else subject.fed(features)
    start, end = (subject.codes[indices] for indices in subject.pairs)
    length = perceptual_path_length(
        subject.fed(subject.decoder), start, end, features=features, kind=settings.kind, draws=4, generator=generator,
        batch_size=settings.batch_size, progress=settings.progress,
    )  # fmt: skip
    faded_length = perceptual_path_length(
        torch.nn.Identity(), subject.start, subject.end, features=features,
        draws=4, generator=generator, batch_size=settings.batch_size, progress=settings.progress,
    )  # fmt: skip
    yield Measure(
        group, "path_length", "perceptual path length", length.mean, "lower",
        "mean squared speed of the features along the path", faded_length.mean, "every path stands still",
    )  # fmt: skip
    between, faded = (walk[:, 1:-1].flatten(0, 1) for walk in (subject.paths, subject.fades))
    wide = between[0].numel() if features is None else features(between[:2])[0].numel()
    few = min(len(between), len(references))
    if wide > WIDE or few <= wide:
        reason = f"{wide} features an image and {few} images; give features= of fewer numbers, or more images"
        yield Measure(group, "frechet_distance", "Frechet distance", None, "0", undefined=reason)
        return
    model, fade = (
        frechet_distance(images, references.x, features=features, progress=settings.progress)
        for images in (between, faded)
    )
    note = "of all interpolants from the real samples, as normal distributions; depends on their number"
    yield Measure(group, "frechet_distance", "Frechet distance", model, "0", note, fade)


def codes(subject: Subject) -> Iterator[Measure]:
    """What the codes are like and good for."""
    group = "Codes"
    size = subject.codes[0].numel()
    yield Measure(group, "code_size", "elements of a code", size)
    dead = size if subject.equal_codes else dead_units(subject.codes)
    yield Measure(group, "dead_units", "elements that never change", dead, "0", "and so say nothing")
    value = None if subject.equal_codes else latent_correlation(subject.codes)
    yield Measure(
        group, "latent_correlation", "correlation of elements", value, "0",
        "mean absolute correlation of two different elements (MIDR-AE, Table 1)",
        undefined=EQUAL_CODES if subject.equal_codes else "fewer than two elements change",
    )  # fmt: skip
    yield from labelled(subject, group)


def labelled(subject: Subject, group: str) -> Iterator[Measure]:
    """Probe and clusters, where there are labels of more than one class."""
    if subject.data.labels is None or subject.train.labels is None:
        return
    reason = _unfit(subject)
    names = (
        ("linear_probe", "linear probe accuracy", "a linear classifier on training codes, tried on held-out ones"),
        ("clustering_accuracy", "clustering accuracy",
         f"k-means on whitened codes, the best of {subject.settings.restarts} restarts (ACAI, section 4.2)"),
        ("nmi", "clusters and classes, NMI", "normalised mutual information"),
        ("ari", "clusters and classes, ARI", "adjusted Rand index; 0 by chance"),
    )  # fmt: skip
    values: tuple[float | None, ...] = (None,) * len(names)
    if not reason:
        data = subject.train_codes, subject.train.labels, subject.codes, subject.data.labels
        settings = subject.settings
        found = clustering(*data, restarts=settings.restarts, seed=settings.seed, progress=settings.progress)
        values = linear_probe(*data), found.accuracy, found.nmi, found.ari
    for (key, name, note), value in zip(names, values, strict=True):
        yield Measure(group, key, name, value, "1", note, undefined=reason)


def _unfit(subject: Subject) -> str:
    """Why there are no probe and no clusters, or ""."""
    assert subject.train.labels is not None
    assert subject.data.labels is not None
    classes = subject.train.labels.unique()
    if len(classes) < 2:
        return "a single class"
    unseen = set(subject.data.labels.unique().tolist()) - set(classes.tolist())
    if unseen:
        return f"held-out samples of {len(unseen)} classes without training samples"
    flat = subject.train_codes.flatten(1)
    return EQUAL_CODES if subject.equal_codes or bool((flat == flat[0]).all()) else ""


def _unless_collapsed(subject: Subject, measure: Measure) -> Measure:
    """The measure, undefined if the model has collapsed: one real image would have a perfect one."""
    return replace(measure, value=None, undefined=subject.collapse) if subject.collapse else measure
