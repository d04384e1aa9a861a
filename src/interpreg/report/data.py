"""What a report is given: samples, with what is known about them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from interpreg import _checks
from interpreg._progress import progress
from interpreg.datasets.images import Images
from interpreg.metrics import _codes

Data = Images | Tensor | Iterable[Any]
GATHERED = 256  # items of a Dataset at a time
LEAST = 4  # views of a ring
TEST_SHARE = 5  # one sample in five is held out where nobody said which


@dataclass(frozen=True)
class Samples:
    """Samples ``x [n, ...]`` in floating point, images in [-1, 1], with labels and parameters where there are any."""

    x: Tensor
    labels: Tensor | None = None
    parameters: Tensor | None = None
    period: tuple[float | None, ...] = ()
    units: tuple[str, ...] = ()
    name: str = "data"

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, chosen: Tensor | slice) -> "Samples":
        labels, parameters = (None if t is None else t[chosen] for t in (self.labels, self.parameters))
        return replace(self, x=self.x[chosen], labels=labels, parameters=parameters)

    @property
    def are_images(self) -> bool:
        """Whether they can be drawn."""
        return self.x.ndim == 4 and self.x.shape[1] in (1, 3)


@dataclass(frozen=True)
class Rings:
    """Views of the same thing in order, one ring a row.

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
    """``data`` as samples, checked; batches of a loader, or the items of a ``Dataset``, are gathered first.

    Raises:
        TypeError, ValueError: not a batch, values that are not finite, labels of another length.
    """
    if isinstance(data, Images):
        if labels is not None:
            raise TypeError(f"labels: expected None, because {name} has its own place for them, got a tensor")
        if data.images.is_floating_point():  # bytes are finite
            _codes.check_finite(name, data.images)
        return Samples(data.scaled(), data.labels, data.parameters, data.period, data.units, data.name)
    if not isinstance(data, Tensor):
        data, found = _gathered(name, data)
        if labels is not None and found is not None:
            raise TypeError(f"labels: expected None, because {name} has its own, got {_checks.describe(labels)}")
        labels = labels if found is None else found
    if data.dtype == torch.uint8:
        raise TypeError(
            f"{name}: expected floats in [-1, 1] or an interpreg.datasets.Images, got {_checks.describe(data)}"
        )
    _codes.check_finite(name, data)
    if data.ndim < 2:
        raise ValueError(f"{name}: expected shape [n, ...], got {_checks.describe(data)}")
    if labels is not None:
        _codes.check_labels("labels", labels, name, data)
    return Samples(data, labels)


def _gathered(name: str, data: Iterable[Any]) -> tuple[Tensor, Tensor | None]:
    """All samples of batches ``x`` or ``(x, ...)``, and their labels if what comes second is whole numbers."""
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=GATHERED)
    if not isinstance(data, Iterable):
        raise TypeError(f"{name}: expected Images, a tensor, or batches of tensors, got {_checks.describe(data)}")
    batches, labels = [], []
    for batch in progress(data, f"reading {name}"):
        x, *others = batch if isinstance(batch, (tuple, list)) else (batch,)
        if not isinstance(x, Tensor) or x.ndim == 0:
            raise TypeError(f"{name}: expected batches x or (x, labels) of tensors, got {_checks.describe(x)}")
        batches.append(x)
        y = others[0] if others else None
        if isinstance(y, Tensor) and not y.is_floating_point() and y.shape == x.shape[:1]:
            labels.append(y)
    if not batches:
        raise ValueError(f"{name}: expected at least one batch, got none")
    return torch.cat(batches), torch.cat(labels) if len(labels) == len(batches) else None


def split(data: Samples) -> tuple[Samples, Samples]:
    """Samples to train on and samples held out: the last fifth of each class, because neighbours are often alike."""
    labels = data.labels if data.labels is not None else torch.zeros(len(data), dtype=torch.long)
    least = 2 if data.labels is None else 1
    held_out = torch.zeros(len(data), dtype=torch.bool)
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        held_out[rows[-max(least, len(rows) // TEST_SHARE) :]] = True
    return data[~held_out], data[held_out]


def rings(data: Samples) -> Rings | None:
    """The rings of evenly spaced views in ``data``, or None: of the last parameter, the others and the label fixed."""
    if data.parameters is None:
        return None
    turning, fixed = data.parameters[:, -1].double(), data.parameters[:, :-1].double()
    labels = torch.zeros(len(data), 1) if data.labels is None else data.labels[:, None]
    kinds, group = torch.cat([fixed, labels.to(fixed)], dim=1).unique(dim=0, return_inverse=True)
    if LEAST * len(kinds) > len(data):  # random parameters, mostly
        return None
    rows = []
    for number in range(len(kinds)):
        members = (group == number).nonzero().flatten()
        rows.append(members[turning[members].argsort()])
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or lengths.pop() < LEAST:
        return None
    table = torch.stack(rows)
    gaps = turning[table].diff(dim=1)
    step = gaps.mean().item()
    if step <= 0 or (gaps - step).abs().max() > 1e-3 * step:
        return None
    period = data.period[-1] if data.period else None
    closed = period is not None and math.isclose(step * table.shape[1], period, rel_tol=1e-3)
    return Rings(table, closed, step, _unit(data.units[-1]) if data.units else "parameter")


def _unit(text: str) -> str:
    """What "angle (degrees)" is measured in."""
    inside = re.search(r"\((.+)\)", text)
    return inside[1] if inside else text


def device_of(networks: Sequence[object], fallback: torch.device) -> torch.device:
    """Where the networks' parameters are."""
    for network in networks:
        if isinstance(network, torch.nn.Module):
            for p in network.parameters():
                return p.device
    return fallback
