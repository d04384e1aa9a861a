"""COIL-20 and COIL-100: objects on a turntable, one view every 5 degrees."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks
from interpreg._files import as_path
from interpreg.datasets.readers import npz, pictures
from interpreg.datasets.readers.about import About, StrPath, check_checksum, listed, reduce
from interpreg.datasets.readers.files import Files, opened
from interpreg.datasets.samples import Samples

VIEWS, STEP_DEGREES, SIDE_PIXELS = 72, 5, 128  # of an object, between views, of an image
MAX_FILE_BYTES = 2**20  # the official ones have some 18 kB
COIL20 = About(
    name="coil20",
    title="COIL-20 (processed)",
    home="https://cave.cs.columbia.edu/repository/COIL-20",
    files="1,440 files obj1__0.png to obj20__71.png in coil-20-proc.zip",
    archives=(("coil-20-proc.tar.gz", "sha1", "e5d518fa9ef1d81aef7dfa24b398e4a509b2ffd5"),),
)
COIL100 = About(
    name="coil100",
    title="COIL-100",
    home="https://cave.cs.columbia.edu/repository/COIL-100",
    files="7,200 files obj1__0.png to obj100__355.png in coil-100.zip",
    archives=(
        ("coil-100.zip", "sha256", "fcb4b8b01c0778f416d8d7a09f45082c4f7075cc74743dcddd5c44307bd4afe7"),
        ("coil-100.tar.gz", "sha1", "b58920394780e1c224a39004e74bd3574fbed85a"),
    ),
)


def coil20(
    path: StrPath, *, objects: Sequence[int] | None = None, size: int | None = None, checksum: bool | str = True
) -> Samples:
    """The processed images of COIL-20 (Nene, Nayar and Murase 1996; for research): grey, object ids 1 to 20.

    See :func:`coil100` for the arguments. The files' numbers are the views' indices, 0 to 71.
    """
    return _read(path, COIL20, 20, 1, objects, size, checksum)


def coil100(
    path: StrPath, *, objects: Sequence[int] | None = None, size: int | None = None, checksum: bool | str = True
) -> Samples:
    """COIL-100 (Nene, Nayar and Murase 1996; for research), in colour, object ids 1 to 100.

    There are no official checksums of the files: all 72 views of each object must be there, each a whole PNG file
    of 128 x 128 pixels. The views are scaled one by one to fill the frame, so that scale changes with the angle.

    Args:
        path: a folder with the official PNG files, an archive of them, or an .npz file with ``X`` [objects, views, H,
            W, 3], ``object_id`` [objects] and ``angle`` [views] in degrees.
        objects: ids of those to read, in this order; the others may be missing. None: all, which must all be there
            (in an .npz file: all that are there).
        size: of the images in pixels, a divisor of 128: each pixel is the mean of a block. None leaves them.
        checksum: "full": ``path`` must be an archive whose checksum others have recorded (of coil-100.zip TensorFlow
            Datasets). True and False are the same here.

    Returns:
        :class:`Samples`, uint8 ``[n, C, H, W]``, object by object in order of their angles; the labels are object ids,
        the parameter is the angle in degrees.

    Raises:
        ImportError: Pillow is not installed, and ``path`` is no .npz file.
        FileNotFoundError: a view is missing; the message names it and its source.
        ValueError: a file is malformed or not official; the message names it, what was expected and what came.
    """
    return _read(path, COIL100, 100, 3, objects, size, checksum)


def _read(
    path: StrPath,
    about: About,
    count: int,
    channels: int,
    objects: Sequence[int] | None,
    size: int | None,
    checksum: bool | str,
) -> Samples:
    if objects is not None:
        if isinstance(objects, (int, str)):
            raise TypeError(f"objects: expected a list of ids, got {_checks.describe(objects)}")
        objects = [_checks.as_count("objects", i, low=1) for i in objects]
        if not objects or max(objects) > count or len(set(objects)) < len(objects):
            raise ValueError(f"objects: expected different ids of 1 to {count}, at least one, got {objects}")
    if size is not None:
        _checks.as_count("size", size, low=1)
    check_checksum(checksum)
    if checksum == "full":
        about.check_archive(as_path("path", path))
    if npz.is_npz(path):
        images, ids, angles = _arrays(path, about, channels, objects)
        images = images if size is None else torch.from_numpy(reduce(images.numpy(), size))
    else:
        object_ids = objects or range(1, count + 1)
        with opened(path, about) as files:
            images = _files(files, channels, object_ids, size or SIDE_PIXELS)
        ids, angles = torch.tensor(list(object_ids)), torch.arange(VIEWS) * STEP_DEGREES
    return Samples(
        images.flatten(0, 1),
        labels=ids.repeat_interleave(len(angles)),
        parameters=angles.float().repeat(len(ids))[:, None],
        period=(360.0,),
        units=("angle (degrees)",),
        name=about.name,
    )


def _files(files: Files, channels: int, objects: Iterable[int], size: int) -> Tensor:
    """The images ``[objects, views, C, size, size]``."""
    # raises before a file is read if the size does not fit
    reduce(np.zeros((SIDE_PIXELS, SIDE_PIXELS), dtype=np.uint8), size)
    step = 1 if files.about is COIL20 else STEP_DEGREES
    names = [f"obj{i}__{k * step}.png" for i in objects for k in range(VIEWS)]
    images = np.empty((len(names), channels, size, size), dtype=np.uint8)
    mode = "L" if channels == 1 else "RGB"
    for i, image in pictures.each(files, names, "PNG", mode, (SIDE_PIXELS, SIDE_PIXELS), MAX_FILE_BYTES):
        images[i] = reduce(pictures.array(image), size)
    return torch.from_numpy(images.reshape(-1, VIEWS, *images.shape[1:]))


def _arrays(
    path: StrPath, about: About, channels: int, objects: Sequence[int] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Images ``[objects, views, C, H, W]``, object ids and angles of an .npz file."""
    arrays = npz.Arrays(path, about)
    x, ids, angles = arrays.require(*npz.IMAGES), arrays.require("object_id"), arrays.require("angle")
    lengths = x.ndim >= 4 and (ids.shape, angles.shape) == (x.shape[:1], x.shape[1:2])
    numbers = ids.dtype.kind in "iu" and angles.dtype.kind in "iuf"
    if not lengths or not numbers or (angles.dtype.kind == "f" and not np.isfinite(angles).all()):
        raise ValueError(
            f"{path}: expected X [objects, views, H, W, {channels}], object_id [objects] and angle [views], "
            f"got {list(x.shape)}, {ids.dtype} {list(ids.shape)} and {angles.dtype} {list(angles.shape)}"
        )
    images = npz.uint8(x.reshape(-1, *x.shape[2:]), f"{path}: images", channels).unflatten(0, x.shape[:2])
    object_ids = torch.from_numpy(ids.astype(np.int64))
    if objects is not None:
        missing = sorted(set(objects) - set(object_ids.tolist()))
        if missing:
            raise about.missing(f"object {listed([str(i) for i in missing])}", path)
        rows = [object_ids.tolist().index(i) for i in objects]
        images, object_ids = images[rows], object_ids[rows]
    return images, object_ids, torch.from_numpy(angles.astype(np.float64))
