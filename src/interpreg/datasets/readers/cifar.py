"""CIFAR-10: 32 x 32 colour images in the records of its binary version."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg.datasets.readers import npz
from interpreg.datasets.readers.about import About, StrPath, check_flag
from interpreg.datasets.readers.files import Files, opened
from interpreg.datasets.samples import Samples

SPLITS = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the planes of red, green and blue
MAX_FILE_BYTES = 10_000 * RECORD
CIFAR10 = About(
    name="cifar10",
    title="CIFAR-10",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    files="the binary version, cifar-10-binary.tar.gz, with data_batch_1.bin to data_batch_5.bin and test_batch.bin",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    checksums=(
        ("data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"),
        ("data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"),
        ("data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"),
        ("data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"),
        ("data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"),
        ("test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"),
    ),
)


def cifar10(path: StrPath, split: str = "train", *, checksum: bool = True) -> Samples:
    """Small photographs of ten classes (Krizhevsky 2009; no licence is stated), labels 0 to 9.

    Args:
        path: a folder with the files of the binary version, its archive, or an .npz file. The Python version is
            pickled, and pickles are never loaded.
        split: "train" (50,000 images, five files) or "test" (10,000).
        checksum: whether the files must be the official ones, byte for byte.

    Returns:
        :class:`Samples`, uint8 ``[n, 3, 32, 32]``.

    Raises:
        FileNotFoundError: a file is missing; the message names it and its source.
        ValueError: a file is malformed, not official, or pickled; the message names it.
    """
    _checks.check_one_of("split", split, SPLITS)
    check_flag(checksum)
    if npz.is_npz(path):
        images, labels = npz.images_and_labels(path, CIFAR10, split, channels=3)
    else:
        with opened(path, CIFAR10) as files:
            records = torch.cat([_records(files, name, checksum) for name in SPLITS[split]])
        images, labels = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()
    return Samples(images, labels=labels, name="cifar10")


def _records(files: Files, batch: str, checksum: bool) -> Tensor:
    """The records ``[n, 3073]`` of one file."""
    name = f"{batch}.bin"
    if files.find(name) is None and (pickled := files.find(batch)) is not None:
        raise ValueError(
            f"{files.where(pickled)}: expected {name}, got the Python version of CIFAR-10, which is pickled; a pickle "
            f"can run any code and is never loaded: get {CIFAR10.files}, from {CIFAR10.home}"
        )
    content, where = files.official(name, limit=MAX_FILE_BYTES, checksum=checksum)
    if len(content) % RECORD:
        raise ValueError(f"{where}: expected records of {RECORD} bytes, got {len(content)} bytes")
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, RECORD)
    CIFAR10.label_range(records[:, 0].long(), where)
    return records
