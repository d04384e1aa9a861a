"""CelebA: faces of celebrities, cut out and reduced as in ACAI's published code."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks
from interpreg.datasets.readers import npz, pictures
from interpreg.datasets.readers.about import About, StrPath, check_checksum
from interpreg.datasets.readers.files import Files, folder, opened
from interpreg.datasets.samples import Samples

SPLITS = {"train": 0, "valid": 1, "test": 2}  # as in list_eval_partition.txt
WIDTH, HEIGHT = 178, 218
BOX = (16, 36, WIDTH - 16, HEIGHT - 36)  # the middle 146 x 146: 16 columns and 36 rows less on each side
PILLOW_BICUBIC = 3  # the filter's number
ZIP = "img_align_celeba.zip"
PARTITION, ATTRIBUTES = "list_eval_partition.txt", "list_attr_celeba.txt"
MAX_LIST_BYTES, MAX_IMAGE_BYTES = 2**26, 2**20  # the largest have 26 MB and some 20 kB
CELEBA = About(
    name="celeba",
    title="CelebA (aligned and cropped)",
    home="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    files=f"{ZIP}, {PARTITION} and {ATTRIBUTES}",
    classes=("no", "yes"),
    checksums=(
        (ATTRIBUTES, "75e246fa4810816ffd6ee81facbd244c"),
        (PARTITION, "d32c9cbf5e040fd4025c592c306e6668"),
    ),
    archives=((ZIP, "md5", "00d2c5bc6d35e252742224ab0c1e8fcb"),),
)


def celeba(
    path: StrPath,
    split: str = "train",
    *,
    size: int = 32,
    attribute: str | None = None,
    checksum: bool | str = True,
) -> Samples:
    """CelebFaces attributes (Liu et al. 2015; for non-commercial research only).

    An image is cut to its middle 146 x 146 pixels, 16 columns and 36 rows less on each side, and reduced by Pillow's
    bicubic filter, which averages over the area of a pixel; ACAI's code cuts alike and reduces by TensorFlow's, which
    does not. ACAI's "test" set is its training set; here it is the official one.

    Args:
        path: a folder with ``img_align_celeba.zip``, or with its images, and the official lists; the zip itself, with
            the lists in the same folder; an archive of images and lists; or an .npz file.
        split: "train" (162,770 images), "valid" (19,867) or "test" (19,962).
        size: height and width of the images.
        attribute: such as "Smiling": labels are 1 where an image has it, 0 where not. None: no labels.
        checksum: whether the lists must be the official ones. "full": the zip too, which takes a while.

    Returns:
        :class:`Samples`, uint8 ``[n, 3, size, size]``.

    Raises:
        ImportError: Pillow is not installed, and ``path`` is no .npz file.
        FileNotFoundError: a file is missing; the message names it and its source.
        ValueError: a file is malformed or not official; the message names it, what was expected and what came.
    """
    _checks.check_one_of("split", split, SPLITS)
    _checks.as_count("size", size, low=1)
    check_checksum(checksum)
    if npz.is_npz(path):
        return _arrays(path, split, size, attribute, checksum)
    with ExitStack() as stack:
        files = stack.enter_context(opened(path, CELEBA))
        inner = files.find(ZIP) if files.path.is_dir() else None
        has_lists = files.path.is_dir() or files.find(PARTITION)
        lists = files if has_lists else folder(files.path.parent, CELEBA, "*")
        names = _partition(lists, SPLITS[split], checksum)
        labels = None if attribute is None else _attribute(lists, attribute, names, checksum)
        archive = files.path / inner if inner else files.path
        if checksum == "full":
            CELEBA.check_archive(archive)
        holder = stack.enter_context(opened(archive, CELEBA)) if inner else files
        images = np.empty((len(names), 3, size, size), dtype=np.uint8)
        for i, face in pictures.each(holder, names, "JPEG", "RGB", (WIDTH, HEIGHT), MAX_IMAGE_BYTES):
            images[i] = pictures.array(face.crop(BOX).resize((size, size), PILLOW_BICUBIC))
    return Samples(torch.from_numpy(images), labels=labels, name="celeba")


def _lines(files: Files, name: str, checksum: bool | str) -> Iterator[list[str]]:
    """The words of each line of a list."""
    content, _ = files.official(name, limit=MAX_LIST_BYTES, checksum=checksum)
    return (line.split() for line in content.decode("ascii", errors="replace").splitlines())


def _partition(files: Files, part: int, checksum: bool | str) -> list[str]:
    """The names of the images that belong to a part."""
    parts = {}
    for number, words in enumerate(_lines(files, PARTITION, checksum), 1):
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise ValueError(
                f"{files.path}: {PARTITION}, line {number}: expected a name and 0, 1 or 2, got {words}"
            )
        parts[words[0]] = int(words[1])
    return [name for name, of_image in parts.items() if of_image == part]


def _attribute(files: Files, attribute: str, names: list[str], checksum: bool | str) -> Tensor:
    """1 for the images that have the attribute: the list has a count, the attributes' names, then 1 and -1."""
    rows = _lines(files, ATTRIBUTES, checksum)
    next(rows, None)
    attributes = next(rows, [])
    _checks.check_one_of("attribute", attribute, attributes)
    column = attributes.index(attribute) + 1
    has = {row[0]: row[column] for row in rows if len(row) == len(attributes) + 1}
    for name in names:
        if has.get(name) not in ("1", "-1"):
            raise ValueError(f"{files.path}: {ATTRIBUTES}: expected 1 or -1 for {name}, got {has.get(name)}")
    return torch.tensor([int(has[name] == "1") for name in names], dtype=torch.long)


def _arrays(path: StrPath, split: str, size: int, attribute: str | None, checksum: bool | str) -> Samples:
    """Images of ``size`` in an .npz file, and its labels if it has any."""
    if checksum == "full":
        raise ValueError(f"{path}: checksum='full' needs the official {ZIP}, got an .npz file")
    if attribute is not None:
        raise ValueError(f"attribute: expected None for an .npz file, which has its own labels, got {attribute!r}")
    arrays = npz.Arrays(path, CELEBA)
    images = npz.uint8(arrays.require(f"x_{split}", *npz.IMAGES), f"{path}: images", 3)
    if images.shape[2:] != (size, size):
        raise ValueError(f"{path}: expected images of {size} x {size}, got {_checks.describe(images)}")
    y = arrays.get(f"y_{split}", *npz.LABELS)
    labels = None if y is None else npz.integers(y, f"{path}: labels", len(images))
    return Samples(images, labels=labels, name="celeba")
