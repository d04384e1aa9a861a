"""Samples held in memory, with their labels and parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset

from interpreg import _checks
from interpreg.datasets import pixels


@dataclass(frozen=True)
class Samples(Dataset[Any]):
    """Images, or samples of any other shape, with labels or the parameters that they were made from.

    A torch ``Dataset`` too: the item at an int is the image in [-1, 1] as float32, without labels alone, with labels
    as ``(image, label)``; so a ``DataLoader`` gives batches ``x`` or ``(x, labels)``. Parameters are in no item.

    Attributes:
        images: ``[n, ...]``, images ``[n, C, H, W]``: uint8 in 0..255 as in the files, or floating point in [-1, 1].
        labels: ``[n]``, integers; None where there are none.
        parameters: ``[n, k]``, floating point: the generating factors, such as angles; None where they are unknown.
        period: of each of the k parameters, such as 360.0; None for one that is not periodic.
        units: names and units of the parameters, such as ``("elevation (degrees)", "azimuth (degrees)")``.
        name: of the data set.

    Raises:
        TypeError, ValueError: tensors of the wrong type, or of different length.
    """

    images: Tensor
    labels: Tensor | None = None
    parameters: Tensor | None = None
    period: tuple[float | None, ...] = ()
    units: tuple[str, ...] = ()
    name: str = "data"

    def __post_init__(self) -> None:
        images = self.images
        if not isinstance(images, Tensor) or not (images.dtype == torch.uint8 or images.is_floating_point()):
            hint = (
                f"; give {pixels.mend(images)}" if isinstance(images, Tensor) and not images.is_complex() else ""
            )
            raise TypeError(
                f"images: expected a uint8 or floating point tensor, got {_checks.describe(images)}{hint}"
            )
        if images.ndim < 2:
            raise ValueError(f"images: expected shape [n, ...], got {_checks.describe(images)}")
        n = len(images)
        if self.labels is not None:
            _checks.check_labels("labels", self.labels, n, "the samples")
        if self.parameters is not None:
            _checks.check_tensor("parameters", self.parameters)
            if self.parameters.ndim != 2 or len(self.parameters) != n:
                raise ValueError(
                    f"parameters: expected shape [{n}, k], one row for each sample, "
                    f"got {_checks.describe(self.parameters)}"
                )
            k = self.parameters.shape[1]
            for name, entries in (("period", self.period), ("units", self.units)):
                if len(entries) != k:
                    got = _checks.describe(entries)
                    raise ValueError(f"{name}: expected one for each of {k} parameters, got {got}")

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, rows: int) -> Tensor | tuple[Tensor, Tensor]: ...
    @overload
    def __getitem__(self, rows: Tensor | slice | Sequence[int]) -> "Samples": ...
    def __getitem__(self, rows: Any) -> Any:
        """The item at an int; the :class:`Samples` at a mask, a slice or indices, with labels and parameters.

        Raises:
            IndexError: an int out of range.
            TypeError: something else, or indices that are no whole numbers.
        """
        if isinstance(rows, Integral) or (isinstance(rows, Tensor) and rows.ndim == 0 and _are_whole(rows)):
            return self._item(int(rows))
        if isinstance(rows, (list, tuple, range)) and not any(isinstance(row, slice) for row in rows):
            rows = torch.as_tensor(rows, dtype=None if len(rows) else torch.long)
        elif not isinstance(rows, (Tensor, slice)):
            rows = torch.as_tensor(rows) if hasattr(rows, "__array__") else rows
        if not isinstance(rows, slice) and not (isinstance(rows, Tensor) and rows.ndim == 1 and _are_whole(rows)):
            raise TypeError(f"samples: expected an int, a slice, a mask or indices, got {_checks.describe(rows)}")
        labels, parameters = (None if t is None else t[rows] for t in (self.labels, self.parameters))
        return replace(self, images=self.images[rows], labels=labels, parameters=parameters)

    def _item(self, row: int) -> Tensor | tuple[Tensor, Tensor]:
        if not -len(self) <= row < len(self):
            raise IndexError(f"samples: expected an index below {len(self)}, got {row}")
        image = Samples(self.images[row : row + 1 or None]).scaled()[0]
        return image if self.labels is None else (image, self.labels[row])

    def scaled(self, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None) -> Tensor:
        """All images in [-1, 1], as the papers' weights assume: ``2 x / 255 - 1`` if they are uint8."""
        images = self.images.to(device)
        return images.to(dtype) if images.is_floating_point() else images.to(dtype).mul_(2 / 255).sub_(1)

    def draw(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """A batch ``[n, ...]`` to train on, in [-1, 1], drawn uniformly with replacement."""
        _checks.as_count("n", n, low=1)
        _checks.as_generator(generator)
        if len(self) == 0:
            raise ValueError("n: expected samples to draw from, got an empty set")
        source = "cpu" if generator is None else generator.device
        indices = torch.randint(len(self), (n,), generator=generator, device=source)
        return self[indices.to(self.images.device)].scaled(device=device)


def _are_whole(rows: Tensor) -> bool:
    return not rows.is_floating_point() and not rows.is_complex()
