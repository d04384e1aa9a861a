"""The report: every measure that applies to a pair of networks and its data, as a table, as JSON, as a page."""

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
from interpreg._files import atomic_write
from interpreg._types import Network
from interpreg.priors import as_prior
from interpreg.report import measures, truth
from interpreg.report.data import Data, Samples, samples, split
from interpreg.report.measure import Measure, number
from interpreg.report.page import page
from interpreg.report.pictures import Picture, pictures
from interpreg.report.subject import Settings, Subject, evaluating

LABEL = 20  # letters of a name that pictures have room for


@dataclass(frozen=True)
class Report:
    """What was measured. ``print`` it for a table; in a notebook it shows itself.

    Attributes:
        name: of the model.
        measures: one entry a measure, in order; those that do not apply are not there, those that are undefined are,
            with the reason.
        about: how it was measured, as texts.
        curves: the errors against the real images in between, by coefficient and interval, the retrieved coefficients,
            the distances in the space of the parameters: of the model and of cross-fades, by name. None where the
            data know nothing of the images in between.
        warnings: what a reader must know first, such as a collapse.
    """

    name: str
    measures: tuple[Measure, ...]
    about: dict[str, str]
    curves: truth.Curves | None
    warnings: tuple[str, ...]
    pictures: tuple[Picture, ...] = field(repr=False, default=())

    def __getitem__(self, key: str) -> float | int | None:
        """The value of a measure by its key, None where it is undefined; ``KeyError`` where it does not apply."""
        for measure in self.measures:
            if measure.key == key:
                return measure.value
        raise KeyError(f"{key!r}; this report has {', '.join(m.key for m in self.measures)}")

    def __str__(self) -> str:
        wide = max(len(measure.name) for measure in self.measures) + 2
        lines = [self.name, *(f"! {warning}" for warning in self.warnings)]
        lines += ["", " " * wide + f"{'value':>12}{'best':>8}{'cross-fade':>12}"]
        for group, rows in groupby(self.measures, key=lambda m: m.group):
            lines.append(group)
            for row in rows:
                fade = "" if row.fade is None else number(row.fade)
                reason = f"  {row.undefined}" if row.value is None else ""
                lines.append(f"  {row.name:{wide - 2}}{row.shown():>12}{row.best:>8}{fade:>12}{reason}")
        return "\n".join(line.rstrip() for line in lines)

    def html(self) -> str:
        """The whole page, with its pictures inside."""
        return page(self.name, self.measures, self.pictures, self.about, self.warnings)

    def _repr_html_(self) -> str:
        return self.html()

    def save_html(self, path: str | Path) -> Path:
        """Write the page, whole or not at all; it opens from disk without anything else."""
        with atomic_write(Path(path)) as partial:
            partial.write_text(self.html(), encoding="utf-8")
        return Path(path)

    def save_json(self, path: str | Path) -> Path:
        """Write all numbers, whole or not at all; ``null`` stands for undefined."""
        content = {
            "name": self.name,
            "measures": [asdict(measure) for measure in self.measures],
            "curves": None if self.curves is None else self.curves.numbers(),
            "warnings": self.warnings,
            "about": self.about,
        }
        with atomic_write(Path(path)) as partial:
            partial.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
        return Path(path)


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
    """Measure how an autoencoder interpolates, by everything in :mod:`interpreg.metrics` that applies.

    With samples alone: reconstruction, distance of interpolants to real samples, the four conditions of an admissible
    interpolation, path length, correlation of the code's elements. With labels: linear probe and clusters. With
    parameters (of an :class:`interpreg.datasets.Images`): smoothness and detours; where there are evenly spaced views
    of the same thing, the errors against the images in between. Beside each stands what cross-fades of the same
    samples have, where that means something.

    Networks are put in eval mode and back, and run without gradients, on the device where their parameters are.

    Args:
        encoder, decoder: the pair.
        data: held-out samples ``[n, ...]``, floats (images in [-1, 1]), or an ``Images``; or a ``DataLoader`` or
            ``Dataset`` of ``x`` or ``(x, labels)``, whose samples are held in memory.
        train: samples that probes and clusters are fitted on and neighbours looked for among. If not given, the last
            fifth of each class of ``data`` is held out and the rest is this; the very object ``data`` holds nothing
            out, as AEAI measures the views of an object.
        references: real samples to look for neighbours among, instead of ``train`` (of ``data`` and ``train`` together,
            where parameters are known).
        labels, train_labels: whole numbers ``[n]``, for tensors.
        features: a callable of images to features ``[n, ...]``, for the path length and the Frechet distance.
        prior: that codes were drawn towards, such as "normal" or one of :mod:`interpreg.priors`; what it decodes to is
            drawn.
        history: losses along the training, a dictionary a logged step with a "step" among them.
        name: of the model, for titles.
        pairs: how many pairs of held-out samples are interpolated, at most; and how many intervals of views of each
            length, evenly chosen where there are more.
        steps: images in an interpolation, both ends included, at least 3.
        kind: of the paths between codes: "linear" or "spherical".
        restarts: of k-means; the papers' 1,000 take minutes for large sets.
        batch_size: samples that a network is given at a time.
        seed: of the pairs, the clusters and the path length.
        draw: whether pictures are drawn, which needs matplotlib.
        progress: show bars on a terminal for what takes long.

    Returns:
        The report.

    Raises:
        TypeError: networks that are none, data that are not floating point.
        ValueError: other shapes, samples or outputs that are not finite, fewer than two held-out samples.
        ImportError: matplotlib is not installed, or with labels scikit-learn or scipy.

    >>> angles = torch.arange(0, 360, 5.0).deg2rad()
    >>> circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    >>> report = interpolation_report(torch.nn.Identity(), torch.nn.Identity(), circle, train=circle, draw=False)
    >>> report["reconstruction_error"], report["monotonicity"], report["still"]
    (0.0, 1.0, 0)
    """
    _checks.check_network("encoder", encoder)
    _checks.check_network("decoder", decoder)
    if draw:
        optional_import("matplotlib.pyplot", "plot", "interpolation_report (with draw=True)")
    if prior is not None:
        as_prior(prior)
    settings = Settings(pairs, steps, kind, restarts, batch_size, seed, progress)
    held_out = samples("data", data, labels)
    if train is None:
        if train_labels is not None:
            raise TypeError("train_labels: expected None without train, got a tensor")
        fitted, held_out = split(held_out)
    elif train is data and train_labels is None:
        fitted = held_out
    else:
        fitted = samples("train", train, train_labels)
        _checks.check_shape("train", fitted.x[:1], torch.Size([1, *held_out.x.shape[1:]]), "one sample of data")
    subject = Subject(encoder, decoder, held_out, fitted, settings)
    known = _references(subject, references)
    with evaluating(encoder, decoder), torch.no_grad():
        rows = [
            *measures.reconstruction(subject),
            *measures.paths(subject, known),
            *measures.conditions(subject, known),
            *measures.decoded(subject, known, features),
            *measures.codes(subject),
        ]
        label = name if len(name) <= LABEL else "autoencoder"
        found = truth.curves(subject, label)
        if found is not None:
            rows += truth.measures(found, label)
        drawn = pictures(subject, found, label, history, prior) if draw else []
    return Report(
        name,
        tuple(rows),
        _about(subject, known),
        found,
        (f"{subject.collapse[0].upper()}{subject.collapse[1:]}.",) if subject.collapse else (),
        tuple(drawn),
    )


def _references(subject: Subject, references: Data | None) -> Samples:
    """The samples to look for neighbours among."""
    if references is None:
        return subject.everything if subject.parametrised else subject.train
    known = samples("references", references)
    _checks.check_shape("references", known.x[:1], subject.data.x[:1].shape, "one sample of data")
    return known


def _about(subject: Subject, references: Samples) -> dict[str, str]:
    settings = subject.settings
    data = subject.data
    return {
        "data": f"{data.name}: {len(data):,} held-out samples of shape {tuple(data.x.shape[1:])}",
        "to fit probes on": f"{len(subject.train):,} samples",
        "neighbours among": f"{len(references):,} real samples",
        "paths": f"{len(subject.paths)} {settings.kind} ones of {settings.steps} images, both ends included",
        "seed": str(settings.seed),
        "torch": f"{torch.__version__} on {subject.device}, Python {platform.python_version()}",
    }
