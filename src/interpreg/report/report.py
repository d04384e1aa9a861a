"""Every metric that applies to a pair of networks and its data, in one call."""

import platform
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg._types import Network
from interpreg.datasets import Samples, pixels
from interpreg.metrics._evaluation import evaluating, output_of
from interpreg.priors import as_prior
from interpreg.report import groups, truth
from interpreg.report.data import Data, samples, split
from interpreg.report.metric import Metric
from interpreg.report.pictures import pictures
from interpreg.report.result import Report
from interpreg.report.subject import Settings, Subject

MAX_LEGEND_LETTERS = 20  # of a name in a picture


def interpolation_report(
    encoder: Network,
    decoder: Network,
    data: Data,
    *,
    train: Data | None = None,
    references: Data | None = None,
    labels: Tensor | None = None,
    train_labels: Tensor | None = None,
    features: Network | None = None,
    prior: Any = None,
    history: Sequence[dict[str, float]] | None = None,
    name: str = "autoencoder",
    pairs: int = 256,
    steps: int = 16,
    kind: Literal["linear", "spherical"] = "linear",
    restarts: int = 100,
    batch_size: int = 256,
    seed: int = 0,
    draw: bool = True,
    progress: bool = True,
) -> Report:
    """Measure how an autoencoder interpolates, by every metric in :mod:`interpreg.metrics` that applies.

    Of any samples: reconstruction, distance of interpolants to real samples, the four conditions of an admissible
    interpolation, path length, correlation of the code's elements. With labels: linear probe and clusters. With
    parameters (of :class:`interpreg.datasets.Samples`): smoothness and detours, and where there are evenly spaced
    views of the same object, errors against the images in between. The baseline is cross-fades of the same samples.

    Networks are set to eval mode and back, and run without gradients, on the device of their parameters; modes and
    buffers are then as before, also of modules behind methods and functions. A measure that fails, such as for want of
    memory, leaves its reason in place of its value, and the others are there.

    Args:
        encoder, decoder: the pair.
        data: held-out samples ``[n, ...]``, floats (images in [-1, 1]), or ``Samples``; or a ``DataLoader`` or
            ``Dataset`` of ``x`` or ``(x, labels)``, which is read into memory.
        train: samples to fit probes and clusters on, and neighbours of interpolants. None: the last fifth of each
            class of ``data`` is held out, and the rest is this. ``data`` itself: nothing is held out, as in AEAI's
            experiments on the views of an object.
        references: neighbours of interpolants, instead of ``train`` (with parameters: instead of ``data`` and
            ``train`` together).
        labels, train_labels: integers ``[n]``, for tensors.
        features: a callable of images to features ``[n, ...]``, for the path length and the Frechet distance.
        prior: of the codes, such as "normal" or one of :mod:`interpreg.priors`: decoded draws become a picture.
        history: losses of the training, a dictionary a logged step, "step" among its keys.
        name: of the model, for titles.
        pairs: number of interpolated pairs of held-out samples, at most; and of intervals of views of each length,
            evenly chosen where there are more.
        steps: images in an interpolation, both ends included, at least 3.
        kind: of the paths between codes: "linear" or "spherical".
        restarts: of k-means; the papers' 1,000 take minutes for large sets.
        batch_size: of all calls of a network.
        seed: of the pairs, the clusters and the path length.
        draw: whether to draw pictures, which needs matplotlib.
        progress: whether to show progress bars on a terminal.

    Raises:
        TypeError: not networks, outputs that are no tensors, data that are not floating point.
        ValueError: other shapes, samples or outputs that are not finite, fewer than two held-out samples, an argument
            without effect: ``prior`` or ``history`` with ``draw=False``, ``prior`` where samples are no images.
        ImportError: matplotlib is not installed, or with labels scikit-learn or scipy.

    >>> angles = torch.arange(0, 360, 5.0).deg2rad()
    >>> circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    >>> report = interpolation_report(torch.nn.Identity(), torch.nn.Identity(), circle, train=circle, draw=False)
    >>> report["reconstruction_error"], report["monotonicity"], report["stationary"]
    (0.0, 1.0, 0)
    """
    _check_arguments(encoder, decoder, features, history, prior, name, draw)
    settings = Settings(pairs, steps, kind, restarts, batch_size, seed, progress)
    held_out = samples("data", data, labels)
    if train is None:
        if train_labels is not None:
            raise TypeError("train_labels: expected None without train, got a tensor")
        train_samples, held_out = split(held_out)
    elif train is data and train_labels is None:
        train_samples = held_out
    else:
        train_samples = _alike("train", samples("train", train, train_labels), held_out)
    subject = Subject(encoder, decoder, held_out, train_samples, settings)
    if prior is not None and not subject.has_images:
        raise ValueError(
            "prior: expected None, because the samples are no grey or colour images to draw, got a prior"
        )
    neighbours = _references(subject, references)
    label = name if len(name) <= MAX_LEGEND_LETTERS else "autoencoder"
    with evaluating(encoder, decoder, features), torch.no_grad():
        subject.run_networks()
        if features is not None:
            features = subject.on_device("features", features)
            output_of("features", features, subject.data.images[:2])
        rows = _rows(subject, neighbours, features)
        curves, true_rows = truth.attempted(subject, label)
        rows += true_rows
        images, losses = pictures(subject, curves, label, history, prior) if draw else ([], [])
    return Report(
        name,
        tuple(rows),
        _about(subject, neighbours),
        curves,
        (*_warnings(subject, rows), *losses),
        tuple(images),
    )


def _check_arguments(
    encoder: Any, decoder: Any, features: Any, history: Any, prior: Any, name: Any, draw: Any
) -> None:
    """Raise for arguments of the wrong type, and for such as have no effect."""
    _checks.check_network("encoder", encoder)
    _checks.check_network("decoder", decoder)
    if features is not None:
        _checks.check_network("features", features)
    if not isinstance(name, str):
        raise TypeError(f"name: expected a text, got {_checks.describe(name)}")
    if draw:
        optional_import("matplotlib.pyplot", "plot", "interpolation_report (with draw=True)")
    if prior is not None:
        as_prior(prior)
    for argument, value in (("prior", prior), ("history", history)):
        if value is not None and not draw:
            raise ValueError(
                f"{argument}: expected None with draw=False, because it becomes a picture, got a value"
            )


def _rows(subject: Subject, neighbours: Samples, features: Network | None) -> list[Metric]:
    """The metrics of all groups but the last."""
    decoded, attempted = groups.decoded_group(features), groups.attempted
    rows = [
        *groups.reconstruction(subject),
        *attempted(groups.PATHS, "mean_distance", "mean distance", groups.paths(subject, neighbours)),
        *attempted(groups.CONDITIONS, "boundary", "the four conditions", groups.conditions(subject, neighbours)),
        *attempted(decoded, "path_length", "perceptual path length", groups.path_length(subject, features)),
        *attempted(decoded, "frechet_distance", "Frechet distance", groups.frechet(subject, neighbours, features)),
        *groups.codes(subject),
        *attempted(groups.CODES, "latent_correlation", "correlation of elements", groups.related(subject)),
    ]
    labels = subject.train.labels, subject.data.labels
    if labels[0] is not None and labels[1] is not None:
        both = labels[0], labels[1]
        rows += attempted(groups.CODES, "linear_probe", "linear probe accuracy", groups.probe(subject, *both))
        rows += attempted(groups.CODES, "clustering_accuracy", "clustering", groups.clusters(subject, *both))
    return rows


def _warnings(subject: Subject, rows: list[Metric]) -> list[str]:
    """What invalidates metrics: a collapse, pixels of another range, failures."""
    images, x_hat = subject.data.images, subject.x_hat
    found = [f"{subject.collapse[0].upper()}{subject.collapse[1:]}."] if subject.collapse else []
    found += [f"{text}." for text in (pixels.doubt("data", images), pixels.sigmoid_doubt(images, x_hat)) if text]
    failures = [m for m in rows if m.value is None and m.undefined.startswith(groups.FAILED)]
    return [*found, *(f"{m.name[0].upper()}{m.name[1:]} {m.undefined}" for m in failures)]


def _references(subject: Subject, references: Data | None) -> Samples:
    """The neighbours of interpolants."""
    if references is None:
        return subject.everything if subject.parametrised else subject.train
    return _alike("references", samples("references", references), subject.data)


def _alike(name: str, others: Samples, data: Samples) -> Samples:
    """The other samples; ``ValueError`` unless they are shaped like the data."""
    _checks.check_shape(name, others.images[:1], torch.Size([1, *data.images.shape[1:]]), "one sample of data")
    return others


def _about(subject: Subject, references: Samples) -> dict[str, str]:
    settings, data = subject.settings, subject.data
    return {
        "data": f"{data.name}: {len(data):,} held-out samples of shape {tuple(data.images.shape[1:])}",
        "to fit probes on": f"{len(subject.train):,} samples",
        "neighbours among": f"{len(references):,} real samples",
        "paths": f"{len(subject.paths)} {settings.kind} ones of {settings.steps} images, both ends included",
        "seed": str(settings.seed),
        "torch": f"{torch.__version__} on {subject.device}, Python {platform.python_version()}",
    }
