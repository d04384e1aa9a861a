"""MNIST and Fashion-MNIST: 28 x 28 grey images in idx files, 60,000 to train on and 10,000 to test on."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from interpreg import _checks
from interpreg.datasets.readers import npz
from interpreg.datasets.readers.about import About, StrPath, check_flag
from interpreg.datasets.readers.files import Files, opened
from interpreg.datasets.samples import Samples

SPLITS = {"train": "train", "test": "t10k"}
IMAGES, LABELS = 0x0803, 0x0801  # the first four bytes of an idx file: uint8, and how many dimensions
MAX_FILE_BYTES = 2**26  # the largest of the official ones has 47 MB

MNIST = About(
    name="mnist",
    title="MNIST",
    home="http://yann.lecun.com/exdb/mnist/",
    files="four files of idx format, such as train-images-idx3-ubyte.gz",
    classes=tuple("0123456789"),
    checksums=(
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
    ),
)
FASHION = About(
    name="fashion_mnist",
    title="Fashion-MNIST",
    home="https://github.com/zalandoresearch/fashion-mnist",
    files="four files of idx format, such as train-images-idx3-ubyte.gz",
    classes=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    checksums=(
        ("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        ("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9"),
        ("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a"),
        ("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965"),
    ),
)


def mnist(path: StrPath, split: str = "train", *, size: int | None = None, checksum: bool = True) -> Samples:
    """Handwritten digits (LeCun, Cortes and Burges; CC BY-SA 3.0), labels 0 to 9.

    Args:
        path: a folder with the official idx files, packed (.gz) or not, in any subfolder; an archive of them;
            or an .npz file (see :doc:`datasets`).
        split: "train" or "test".
        size: None leaves the images at 28 x 28; 32 pads them by two black pixels on each side, as ACAI's code does.
        checksum: whether the files must be the official ones, byte for byte when unpacked. An .npz file
            has no official checksum.

    Returns:
        :class:`Samples`, uint8 ``[n, 1, 28, 28]`` or ``[n, 1, 32, 32]``.

    Raises:
        FileNotFoundError: a file is missing; the message names it and its source.
        ValueError: a file is malformed or not official; the message names it, what was expected and what came.
    """
    return _read(path, MNIST, split, size, checksum)


def fashion_mnist(
    path: StrPath, split: str = "train", *, size: int | None = None, checksum: bool = True
) -> Samples:
    """Pictures of clothes (Xiao, Rasul and Vollgraf 2017; MIT licence), with files and arguments as :func:`mnist`."""
    return _read(path, FASHION, split, size, checksum)


def _read(path: StrPath, about: About, split: str, size: int | None, checksum: bool) -> Samples:
    _checks.check_one_of("split", split, SPLITS)
    check_flag(checksum)
    if size not in (None, 28, 32):
        raise ValueError(f"size: expected None, 28 or 32, got {_checks.describe(size)}")
    if npz.is_npz(path):
        images, labels = npz.images_and_labels(path, about, split, channels=1)
    else:
        with opened(path, about) as files:
            prefix = SPLITS[split]
            images = _idx(files, f"{prefix}-images-idx3-ubyte", IMAGES, checksum)[:, None]
            labels = _idx(files, f"{prefix}-labels-idx1-ubyte", LABELS, checksum).long()
        if len(images) != len(labels):
            raise ValueError(f"{path}: expected as many labels as images, {len(images)}, got {len(labels)}")
        about.label_range(labels, f"{path}: labels")
    if size == 32 and images.shape[2:] != (32, 32):
        if images.shape[2:] != (28, 28):
            raise ValueError(f"size: expected images of 28 x 28 to pad, got {_checks.describe(images)}")
        images = pad(images, (2, 2, 2, 2))
    return Samples(images, labels=labels, name=about.name)


def _idx(files: Files, name: str, magic: int, checksum: bool) -> Tensor:
    """The array in an idx file: the magic number, each dimension, then the bytes; all numbers big-endian, 4 bytes."""
    dotted = name.replace("-idx", ".idx")  # another spelling in use
    names = (name, dotted, f"{name}.gz", f"{dotted}.gz")
    content, where = files.official(*names, limit=MAX_FILE_BYTES, checksum=checksum)
    got = int.from_bytes(content[:4], "big")
    if got != magic:
        hint = {IMAGES: ", which is a file of images", LABELS: ", which is a file of labels"}.get(got, "")
        raise ValueError(f"{where}: expected an idx file of magic number {magic}, got {got}{hint}")
    dimensions = magic & 0xFF
    header = 4 + 4 * dimensions
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise ValueError(f"{where}: expected {expected} bytes for {shape} by its header, got {len(content)}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].view(shape)
