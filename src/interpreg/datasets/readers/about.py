"""Facts about the data sets that are read, and checks against them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest, md5
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from interpreg import _checks

Bytes = NDArray[np.uint8]
StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class About:
    """Facts about a data set.

    Attributes:
        name: as in ``interpreg.datasets.NAMES``.
        title: as its authors call it.
        home: the page where the official files are.
        files: a description of the official files.
        classes: the labels' names, in order.
        checksums: the md5 of official files by name, of their content where they come compressed.
        archives: names, hash algorithms and hashes of official archives.
    """

    name: str
    title: str
    home: str
    files: str
    classes: tuple[str, ...] = ()
    checksums: tuple[tuple[str, str], ...] = ()
    archives: tuple[tuple[str, str, str], ...] = ()

    def missing(self, what: str, where: object) -> FileNotFoundError:
        """The error for a missing file."""
        return FileNotFoundError(f"{where}: no {what}; {self.title} is {self.files}, from {self.home}")

    def check(self, content: bytes, name: str, where: str) -> None:
        """Raise ``ValueError`` unless ``content`` is the official file called ``name``."""
        expected = dict(self.checksums)[name]
        got = md5(content, usedforsecurity=False).hexdigest()
        if got != expected:
            raise ValueError(
                f"{where}: expected the official {name} of {self.title}, md5 {expected}, got md5 {got}; "
                "checksum=False reads it anyway"
            )

    def check_archive(self, path: Path) -> None:
        """Raise ``ValueError`` unless ``path`` has the name and the content of an official archive."""
        archives = {name: (algorithm, expected) for name, algorithm, expected in self.archives}
        if path.name not in archives or not path.is_file():
            raise ValueError(f"{path}: checksum='full' needs the official {' or '.join(archives)} of {self.title}")
        algorithm, expected = archives[path.name]
        with path.open("rb") as stream:
            got = file_digest(stream, algorithm).hexdigest()
        if got != expected:
            raise ValueError(
                f"{path}: expected the official {path.name} of {self.title}, {algorithm} {expected}, got {got}"
            )

    def label_range(self, labels: Tensor, where: str) -> None:
        """Raise ``ValueError`` unless every label is a class."""
        wrong = (labels < 0) | (labels >= len(self.classes))
        if wrong.any():
            i = int(wrong.nonzero()[0])
            raise ValueError(
                f"{where}: expected labels of 0 to {len(self.classes) - 1}, got {int(labels[i])} at index {i}"
            )


def reduce(images: Bytes, size: int) -> Bytes:
    """Square uint8 images ``[..., H, H]`` by an integer factor: the mean of each block, halves rounded up.

    By NumPy, because most images are reduced one by one, and PyTorch's threads are slow to start.

    Raises:
        ValueError: ``size`` does not divide H.

    >>> reduce(np.array([[[0, 1], [1, 0]]], dtype=np.uint8), 1)
    array([[[1]]], dtype=uint8)
    """
    *before, height, width = images.shape
    if height != width or not 0 < size <= height or height % size:
        raise ValueError(f"size: expected a divisor of {height}, the images' size, got {size}")
    k = height // size
    if k == 1:
        return images
    sums = images.reshape(*before, size, k, size, k).sum((-3, -1), dtype=np.uint32)
    means: Bytes = ((sums + k * k // 2) // (k * k)).astype(np.uint8)
    return means


def check_checksum(value: object) -> None:
    """Raise ``ValueError`` unless it is True, False or "full"."""
    if not isinstance(value, bool) and value != "full":
        raise ValueError(f"checksum: expected True, False or 'full', got {_checks.describe(value)}")


def check_flag(value: object) -> None:
    """Raise ``ValueError`` unless it is True or False, for a data set without an official archive to check."""
    if not isinstance(value, bool):
        raise ValueError(f"checksum: expected True or False, got {_checks.describe(value)}")


def listed(names: Sequence[str]) -> str:
    """The first five names, and the number of further ones."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
