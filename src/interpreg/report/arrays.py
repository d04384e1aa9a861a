"""Samples in NumPy files; integers are scaled by their type, and what could be misread is refused."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interpreg._files import head_of, kind_of
from interpreg._warnings import warn
from interpreg.datasets import Samples, pixels
from interpreg.datasets.readers.npz import IMAGES, LABELS
from interpreg.metrics import _codes
from interpreg.report.data import given_labels

Array = np.ndarray[Any, np.dtype[Any]]
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, TypeError, ValueError, NotImplementedError, RuntimeError)
CHANNELS = (1, 3, 4)  # of images


def read(path: Path) -> Samples:
    """The samples of an .npz file with ``X`` and perhaps ``y``, or of an .npy file that is ``X``.

    ``X`` is uint8 of 0 to 255, uint16 of 0 to 65,535 or bool, images ``[n, H, W]`` or ``[n, H, W, C]``, which are
    brought to [-1, 1]; or floats ``[n, ...]`` in [-1, 1], images ``[n, C, H, W]``. ``y`` are labels as for
    :func:`interpreg.report.data.given_labels`.

    Raises:
        OSError: there is no such file.
        ValueError: it is another file, or its arrays are none of these.
    """
    arrays = _arrays(path)
    name = next((key for key in IMAGES if key in arrays), None)
    if name is None:
        raise ValueError(f"{path}: expected an array X, got {', '.join(arrays) or 'none'}")
    images = _images(f"{path}: {name}", arrays.pop(name))
    label_name = next((key for key in LABELS if key in arrays), None)
    labels = None if label_name is None else _labels(f"{path}: {label_name}", arrays.pop(label_name), len(images))
    if arrays:
        warn(f"{path}: {', '.join(arrays)}: not used; expected X and y")
    return Samples(images, labels)


def _arrays(path: Path) -> dict[str, Array]:
    kind = kind_of(head_of(path))
    if kind not in ("a zip archive", "an empty zip archive", "an .npy file"):
        raise ValueError(f"{path}: expected an .npz or .npy file, got {kind or 'another one'}")
    try:
        # a file of ours, because NumPy leaves its own open where it is truncated
        with path.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            return {"X": content} if kind == "an .npy file" else {key: content[key] for key in content}
    except UNREADABLE as error:
        raise ValueError(f"{path}: expected arrays of numbers in a whole file, got {error}") from error


def _images(where: str, array: Array) -> Tensor:
    """uint8 images, or floats in [-1, 1]."""
    if array.ndim < 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"{where}: expected numbers of shape [n, ...], got {array.dtype} {list(array.shape)}")
    array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        if array.ndim == 4 and array.shape[3] in CHANNELS and array.shape[1] not in CHANNELS:
            raise ValueError(
                f"{where}: expected floats with the channels first, [n, C, H, W], got {list(array.shape)}; "
                "save X.transpose(0, 3, 1, 2)"
            )
        images = torch.from_numpy(array.astype(np.float32))
        _codes.check_finite(where, images)
        return images
    if array.dtype not in (np.uint8, np.uint16, np.bool_):
        advice = pixels.mend(torch.from_numpy(array.astype(np.int64))).replace("x.float()", "X")
        raise ValueError(f"{where}: expected uint8, uint16 or floats in [-1, 1], got {array.dtype}; save {advice}")
    if array.ndim == 4 and array.shape[1] in CHANNELS and array.shape[3] not in CHANNELS:
        raise ValueError(
            f"{where}: expected {array.dtype} with the channels last, [n, H, W, C], got {list(array.shape)}; "
            "save X.transpose(0, 2, 3, 1)"
        )
    array = np.moveaxis(array[..., None] if array.ndim == 3 else array, -1, 1) if array.ndim > 2 else array
    return _scaled(where, np.ascontiguousarray(array))


def _scaled(where: str, array: Array) -> Tensor:
    """uint8 as it is, which :class:`Samples` scales; wider integers and booleans as floats."""
    if array.dtype == np.bool_:
        return 2 * torch.from_numpy(array).float() - 1
    if array.dtype == np.uint8:
        images = torch.from_numpy(array)
        pixels.check_depth(where, images)
        return images
    pixels.check_depth(where, torch.from_numpy(array.astype(np.int32)), 65535)
    return torch.from_numpy(array.astype(np.float32)) / 32767.5 - 1


def _labels(where: str, array: Array, n: int) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{where}: expected whole numbers, got {array.dtype}; save np.unique(y, return_inverse=True)[1]"
        )
    return given_labels(
        where, torch.from_numpy(array.astype(np.float64 if array.dtype.kind == "f" else np.int64)), n
    )
