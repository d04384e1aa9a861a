"""The report: every metric that applies to a pair of networks and its data, as a table, as JSON, as a page."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg._files import as_path, atomic_write
from interpreg._types import Network
from interpreg.datasets import Samples, pixels
from interpreg.metrics._evaluation import evaluating
from interpreg.priors import as_prior
from interpreg.report import groups, truth
from interpreg.report.data import Data, samples, split
from interpreg.report.metric import Metric, number
from interpreg.report.page import page
from interpreg.report.pictures import Picture, pictures
from interpreg.report.subject import Settings, Subject

MAX_LEGEND_LETTERS = 20  # of a name in a picture


@dataclass(frozen=True)
class Report:
    """Metrics, curves and pictures of a model. ``print`` shows the table, a notebook the page.

    Attributes:
        name: of the model.
        metrics: in order, without those that do not apply; an undefined one holds the reason.
        about: the circumstances of the measurement, as texts.
        curves: against the real images in between, by name: of the model and of cross-fades. None where the data have
            no rings of views.
        warnings: what invalidates metrics: a collapse, pixels of another range, a measure or a picture that failed.
    """

    name: str
    metrics: tuple[Metric, ...]
    about: dict[str, str]
    curves: truth.Curves | None
    warnings: tuple[str, ...]
    pictures: tuple[Picture, ...] = field(repr=False, default=())

    def __getitem__(self, key: str) -> float | int | None:
        """The value of a metric by its key, None where it is undefined; ``KeyError`` where it does not apply."""
        for metric in self.metrics:
            if metric.key == key:
                return metric.value
        raise KeyError(f"{key!r}; this report has {', '.join(m.key for m in self.metrics)}")

    def __str__(self) -> str:
        width = max(len(metric.name) for metric in self.metrics) + 2
        lines = [self.name, *(f"! {warning}" for warning in self.warnings)]
        lines += ["", " " * width + f"{'value':>12}{'best':>8}{'cross-fade':>12}"]
        for group, rows in groupby(self.metrics, key=lambda m: m.group):
            lines.append(group)
            for row in rows:
                baseline = "" if row.baseline is None else number(row.baseline)
                reason = f"  {row.undefined}" if row.value is None else ""
                lines.append(f"  {row.name:{width - 2}}{row.shown():>12}{row.best:>8}{baseline:>12}{reason}")
        return "\n".join(line.rstrip() for line in lines)

    def html(self) -> str:
        """The whole page, with its pictures inside."""
        return page(self.name, self.metrics, self.pictures, self.about, self.warnings)

    def _repr_html_(self) -> str:
        return self.html()

    def save_html(self, path: str | Path) -> Path:
        """Write the page, whole or not at all; it opens from disk without anything else."""
        target = as_path("path", path)
        with atomic_write(target) as partial:
            partial.write_text(self.html(), encoding="utf-8")
        return target

    def save_json(self, path: str | Path) -> Path:
        """Write all numbers, whole or not at all; ``null`` stands for undefined."""
        content = {
            "name": self.name,
            "metrics": [asdict(metric) for metric in self.metrics],
            "curves": None if self.curves is None else self.curves.numbers(),
            "warnings": self.warnings,
            "about": self.about,
        }
        target = as_path("path", path)
        with atomic_write(target) as partial:
            partial.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
        return target


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
        _check_outputs(subject, features)
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


def _check_outputs(subject: Subject, features: Network | None) -> None:
    """Raise unless all networks return finite tensors of fitting shapes."""
    assert len(subject.x_hat) == len(subject.codes)
    assert len(subject.paths)
    if features is not None:
        output = subject.on_device("features", features)(subject.data.images[:2])
        _checks.check_batch_size("features", output, 2)


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
    settings = subject.settings
    data = subject.data
    return {
        "data": f"{data.name}: {len(data):,} held-out samples of shape {tuple(data.images.shape[1:])}",
        "to fit probes on": f"{len(subject.train):,} samples",
        "neighbours among": f"{len(references):,} real samples",
        "paths": f"{len(subject.paths)} {settings.kind} ones of {settings.steps} images, both ends included",
        "seed": str(settings.seed),
        "torch": f"{torch.__version__} on {subject.device}, Python {platform.python_version()}",
    }
