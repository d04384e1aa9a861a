"""Data of a report: samples of any source, their split, and the rings of views among them."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from interpreg import _checks
from interpreg._fields import take_instead
from interpreg._progress import progress
from interpreg._warnings import warn
from interpreg.datasets import Samples, pixels
from interpreg.metrics import _codes

Data = Samples | Tensor | Iterable[Any]
DATASET_BATCH = 256  # items of a Dataset that are read at a time
MIN_RING_VIEWS = 4
SAMPLES_PER_HELD_OUT = 5  # one in five is held out by default


@dataclass(frozen=True)
class Rings:
    """Views of the same object in order, one ring a row.

    Attributes:
        rows: indices of samples, ``[rings, views]``.
        closed: whether the first view follows the last.
        step: between neighbouring views, in ``unit``.
        unit: of the parameter that turns.
    """

    rows: Tensor
    closed: bool
    step: float
    unit: str


def samples(name: str, data: Data, labels: Tensor | None = None) -> Samples:
    """``data`` as floating point samples; batches of a loader, or the items of a ``Dataset``, are concatenated.

    Raises:
        TypeError, ValueError: not a batch, values that are not finite, labels of another length.
    """
    if isinstance(data, Subset) and isinstance(data.dataset, Samples):
        data = data.dataset[data.indices]
    if isinstance(data, Samples):
        if labels is not None:
            raise TypeError(f"labels: expected None, because {name} has its own, got a tensor")
        if data.images.is_floating_point():
            _codes.check_finite(name, data.images)
        else:
            pixels.check_depth(name, data.images)
        return replace(data, images=data.scaled())
    if not isinstance(data, Tensor):
        data, own_labels = _concatenated(name, data)
        if labels is not None and own_labels is not None:
            raise TypeError(f"labels: expected None, because {name} has its own, got {_checks.describe(labels)}")
        labels = labels if own_labels is None else own_labels
    if not data.is_floating_point():
        hint = "" if data.is_complex() else f"; give {pixels.mend(data)}"
        raise TypeError(
            f"{name}: expected floats in [-1, 1] or an interpreg.datasets.Samples, got {_checks.describe(data)}{hint}"
        )
    _codes.check_finite(name, data)
    if data.ndim < 2:
        raise ValueError(f"{name}: expected shape [n, ...], got {_checks.describe(data)}")
    return Samples(data, None if labels is None else given_labels("labels", labels, len(data)))


def given_labels(name: str, labels: object, n: int) -> Tensor:
    """Labels ``[n]``; ``ValueError`` unless they are whole numbers ``[n]`` or ``[n, 1]``, or one-hot ``[n, k]``."""
    found = as_labels(labels, n)
    if found is None:
        raise ValueError(
            f"{name}: expected whole numbers of shape [{n}] or [{n}, 1], or one-hot ones [{n}, k], "
            f"got {_checks.describe(labels)}{_fractions(labels)}"
        )
    return found


def as_labels(labels: object, n: int) -> Tensor | None:
    """Whole numbers ``[n]`` of labels ``[n]``, ``[n, 1]``, or one-hot ``[n, k]``; None if they are none of these."""
    if not isinstance(labels, Tensor) or labels.ndim not in (1, 2) or len(labels) != n or labels.is_complex():
        return None
    values = labels.squeeze(1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if values.ndim == 2:
        is_one_hot = bool(((values == 0) | (values == 1)).all()) and bool((values.sum(1) == 1).all())
        return values.to(torch.uint8).argmax(1) if is_one_hot and values.shape[1] else None
    return None if _fractions(values) else values.long()


def _fractions(labels: object) -> str:
    """What is wrong with labels that are not whole numbers, or ""."""
    if not isinstance(labels, Tensor) or not labels.is_floating_point():
        return ""
    wrong = labels[labels != labels.round()]  # NaN too
    return f" with values such as {wrong[0].item():g}" if len(wrong) else ""


def _concatenated(name: str, data: Iterable[Any]) -> tuple[Tensor, Tensor | None]:
    """All samples of batches ``x`` or ``(x, ...)``, and their labels if the second entry holds labels."""
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=DATASET_BATCH)
    if not isinstance(data, Iterable) or isinstance(data, (str, Mapping)):
        raise TypeError(f"{name}: expected Samples, a tensor, or batches of tensors, got {_checks.describe(data)}")
    batches: list[Tensor] = []
    labels: list[Any] = []
    for batch in progress(data, f"reading {name}"):
        x, *others = batch if isinstance(batch, (tuple, list)) else (batch,)
        if not isinstance(x, Tensor) or x.ndim == 0:
            raise TypeError(
                f"{name}: expected batches x or (x, labels) of tensors, got {_checks.describe(x)}{take_instead(x)}"
            )
        if batches and x.shape[1:] != batches[0].shape[1:]:
            raise ValueError(
                f"{name}: expected samples of one shape, {tuple(batches[0].shape[1:])}, got {_checks.describe(x)}"
            )
        batches.append(x.detach().to(batches[0].device if batches else x.device))
        labels += others[:1]
    if not batches:
        raise ValueError(f"{name}: expected at least one batch, got none")
    x = torch.cat(batches)
    return x, _joined_labels(name, x, labels, len(batches))


def _joined_labels(name: str, x: Tensor, entries: list[Any], batches: int) -> Tensor | None:
    """The second entries of batches as labels; None with a warning if they are neither labels nor targets like x."""
    together = None
    if len(entries) == batches and all(isinstance(y, Tensor) and y.ndim for y in entries):
        together = torch.cat(entries) if len({y.shape[1:] for y in entries}) == 1 else None
    found = as_labels(together, len(x))
    is_target = together is not None and together.shape == x.shape
    if entries and found is None and not is_target:
        warn(
            f"{name}: the second entries of batches are no labels and are not used, "
            f"{_checks.describe(entries[0])}{_fractions(together)}; labels are whole numbers of shape [B] or [B, 1], "
            "or one-hot ones. Give batches (x, labels), or x alone"
        )
    return found


def split(data: Samples) -> tuple[Samples, Samples]:
    """Training and held-out samples: the last fifth of each class is held out, because neighbours are often alike."""
    labels = data.labels if data.labels is not None else torch.zeros(len(data), dtype=torch.long)
    least = 2 if data.labels is None else 1
    held_out = torch.zeros(len(data), dtype=torch.bool)
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        held_out[rows[-max(least, len(rows) // SAMPLES_PER_HELD_OUT) :]] = True
    return data[~held_out], data[held_out]


def rings(data: Samples) -> Rings | None:
    """Rings of evenly spaced views, or None: the last parameter turns, the others and the label are fixed."""
    if data.parameters is None:
        return None
    turning, fixed = data.parameters[:, -1].double(), data.parameters[:, :-1].double()
    labels = torch.zeros(len(data), 1) if data.labels is None else data.labels[:, None]
    objects, group = torch.cat([fixed, labels.to(fixed)], dim=1).unique(dim=0, return_inverse=True)
    # random parameters, of which few are equal
    if MIN_RING_VIEWS * len(objects) > len(data):
        return None
    rows = []
    for number in range(len(objects)):
        members = (group == number).nonzero().flatten()
        rows.append(members[turning[members].argsort()])
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or lengths.pop() < MIN_RING_VIEWS:
        return None
    table = torch.stack(rows)
    gaps = turning[table].diff(dim=1)
    step = gaps.mean().item()
    if step <= 0 or (gaps - step).abs().max() > 1e-3 * step:
        return None
    period = data.period[-1]
    closed = period is not None and math.isclose(step * table.shape[1], period, rel_tol=1e-3)
    unit = re.search(r"\((.+)\)", data.units[-1])  # of "angle (degrees)"
    return Rings(table, closed, step, unit[1] if unit else data.units[-1])
