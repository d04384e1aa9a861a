"""SVHN, cropped digits: 32 x 32 colour images of house numbers in Matlab files."""

from io import BytesIO
from typing import Any

import torch

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg.datasets.readers import npz
from interpreg.datasets.readers.about import About, StrPath, check_flag
from interpreg.datasets.readers.archives import value_errors
from interpreg.datasets.readers.files import opened
from interpreg.datasets.samples import Samples

SPLITS = ("train", "test", "extra")
MAX_FILE_BYTES = 2**31  # the largest, extra, has 1.3 GB
SVHN = About(
    name="svhn",
    title="SVHN (format 2, cropped digits)",
    home="http://ufldl.stanford.edu/housenumbers/",
    files="the files train_32x32.mat, test_32x32.mat and extra_32x32.mat",
    classes=tuple("0123456789"),
    checksums=(
        ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        ("extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),
    ),
)


def svhn(path: StrPath, split: str = "train", *, checksum: bool = True) -> Samples:
    """Street View House Numbers (Netzer et al. 2011; for non-commercial use only), labels 0 to 9.

    The file's label 10 means the digit 0 and becomes 0. ACAI's published code subtracts 1 instead, so that its class
    of the digit 0 is 9. It trains on "train" and "extra" together.

    Args:
        path: a folder with the official .mat files, an archive of them, or an .npz file.
        split: "train" (73,257 images), "test" (26,032) or "extra" (531,131; 1.6 GB when read).
        checksum: whether the file must be the official one, byte for byte.

    Returns:
        :class:`Samples`, uint8 ``[n, 3, 32, 32]``.

    Raises:
        ImportError: SciPy is not installed, and ``path`` is no .npz file.
        FileNotFoundError: the file is missing; the message names its source.
        ValueError: the file is malformed or not official; the message names it, what was expected and what came.
    """
    _checks.check_one_of("split", split, SPLITS)
    check_flag(checksum)
    if npz.is_npz(path):
        images, labels = npz.images_and_labels(path, SVHN, split, channels=3)
        return Samples(images, labels=labels, name="svhn")
    io = optional_import("scipy.io", "data", "reading SVHN's .mat files")
    with opened(path, SVHN) as files:
        content, where = files.official(f"{split}_32x32.mat", limit=MAX_FILE_BYTES, checksum=checksum)
    arrays = _load(io, content, where)
    images = torch.from_numpy(arrays["X"]).permute(3, 2, 0, 1).contiguous()
    labels = npz.integers(arrays["y"], f"{where}: y", len(images))
    labels[labels == 10] = 0
    SVHN.label_range(labels, f"{where}: y")
    return Samples(images, labels=labels, name="svhn")


def _load(io: Any, content: bytes, where: str) -> dict[str, Any]:
    """X and y; the declared shapes are checked before the arrays are read."""
    # SciPy's parser raises errors of many kinds
    anything = (Exception,)
    with value_errors(f"{where}: not a Matlab file, or corrupt", anything):
        declared = {name: (shape, kind) for name, shape, kind in io.whosmat(BytesIO(content))}
    shape, kind = declared.get("X", ((), "nothing"))
    if len(shape) != 4 or shape[:3] != (32, 32, 3) or kind != "uint8" or "y" not in declared:
        raise ValueError(f"{where}: expected X, uint8 [32, 32, 3, n], and y, got {declared}")
    with value_errors(f"{where}: cannot be read, the file is corrupt", anything):
        arrays: dict[str, Any] = io.loadmat(BytesIO(content), variable_names=("X", "y"))
    return arrays
