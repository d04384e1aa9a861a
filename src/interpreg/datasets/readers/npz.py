"""NumPy archives of images. Pickled objects in them are refused, never loaded."""

import math
import zipfile
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from interpreg._files import as_path, head_of, kind_of
from interpreg.datasets.readers.about import About, StrPath, listed
from interpreg.datasets.readers.archives import check_readable, value_errors

MAX_ARRAY_BYTES = 8 * 2**30
IMAGES = ("X", "images", "x")
LABELS = ("y", "labels")


def is_npz(path: StrPath) -> bool:
    """Whether ``path`` is an .npz file, by its name."""
    return str(path).lower().endswith(".npz") and not as_path("path", path).is_dir()


class Arrays:
    """The arrays of an .npz file, one at a time.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is corrupt.
    """

    def __init__(self, path: StrPath, about: About) -> None:
        self.path, self.about = as_path("path", path), about
        if not self.path.exists():
            raise about.missing("such file", path)
        kind = kind_of(head_of(self.path))
        if kind and "zip archive" not in kind:
            raise ValueError(f"{path}: expected an .npz file, got {kind}")
        corrupt = value_errors(f"{path}: cannot be read, the archive is truncated or corrupt; get it again")
        with corrupt, zipfile.ZipFile(self.path) as archive:
            self.sizes = {info.filename: info.file_size for info in archive.infolist()}
            for info in archive.infolist():
                check_readable(self.path, info)

    def get(self, *keys: str) -> np.ndarray[Any, Any] | None:
        """The array of the first of ``keys`` that exists, None if none does.

        Raises:
            ValueError: it is pickled or corrupt, or its size differs from that in its header.
        """
        for key in keys:
            if f"{key}.npy" in self.sizes:
                return self._read(key)
        return None

    def require(self, *keys: str) -> np.ndarray[Any, Any]:
        """The array of the first of ``keys`` that exists; ``ValueError`` if none does."""
        array = self.get(*keys)
        if array is None:
            names = listed([name.removesuffix(".npy") for name in self.sizes])
            raise ValueError(f"{self.path}: expected an array called {' or '.join(keys)}, got {names or 'none'}")
        return array

    def _read(self, key: str) -> np.ndarray[Any, Any]:
        where, member = f"{self.path}: {key}", f"{key}.npy"
        corrupt = value_errors(f"{where}: cannot be read, the file is corrupt")
        with corrupt, zipfile.ZipFile(self.path) as archive, archive.open(member) as stream:
            length = _length(stream, where)
            if length != self.sizes[member]:
                raise ValueError(f"{where}: expected {length} bytes by its header, got {self.sizes[member]}")
            stream.seek(0)
            array: np.ndarray[Any, Any] = npy.read_array(stream, allow_pickle=False)
        return array


def _length(stream: Any, where: str) -> int:
    """The length of a .npy file in bytes, by its header; ``ValueError`` if it is pickled or too large."""
    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with value_errors(f"{where}: not an array of numbers, or corrupt", (ValueError, KeyError)):
        shape, _, dtype = headers[npy.read_magic(stream)](stream)
    if dtype.hasobject:
        raise ValueError(f"{where}: holds pickled objects, which are never loaded; expected an array of numbers")
    size = math.prod(shape, start=dtype.itemsize)
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f"{where}: expected at most {MAX_ARRAY_BYTES} bytes, got {size} by its header")
    return size + int(stream.tell())


def images_and_labels(path: StrPath, about: About, split: str, channels: int) -> tuple[Tensor, Tensor]:
    """uint8 images ``[n, C, H, W]`` and labels ``[n]`` of an .npz file.

    The images are under ``x_SPLIT``, ``X``, ``images`` or ``x``, uint8 of shape [n, H, W] or [n, H, W, C]; the labels
    under ``y_SPLIT``, ``y`` or ``labels``, whole numbers of shape [n] or [n, 1].

    Raises:
        FileNotFoundError, ValueError: the file or a key is missing, or an array is not as above.
    """
    arrays = Arrays(path, about)
    images = uint8(arrays.require(f"x_{split}", *IMAGES), f"{path}: images", channels)
    labels = integers(arrays.require(f"y_{split}", *LABELS), f"{path}: labels", len(images))
    about.label_range(labels, f"{path}: labels")
    return images, labels


def uint8(array: np.ndarray[Any, Any], where: str, channels: int) -> Tensor:
    """Images ``[n, H, W]`` or ``[n, H, W, C]`` as ``[n, C, H, W]``."""
    shape = array.shape
    grey = channels == 1 and array.ndim == 3
    if array.dtype != np.uint8 or not (grey or (array.ndim == 4 and shape[3] == channels)):
        raise ValueError(f"{where}: expected uint8 [n, H, W, {channels}], got {array.dtype} {list(shape)}")
    images = torch.from_numpy(np.ascontiguousarray(array))
    return images[:, None] if grey else images.permute(0, 3, 1, 2).contiguous()


def integers(array: np.ndarray[Any, Any], where: str, n: int) -> Tensor:
    """Labels ``[n]``."""
    if array.dtype.kind not in "iu" or array.shape not in ((n,), (n, 1)):
        raise ValueError(f"{where}: expected {n} whole numbers, got {array.dtype} {list(array.shape)}")
    return torch.from_numpy(array.reshape(n).astype(np.int64))
