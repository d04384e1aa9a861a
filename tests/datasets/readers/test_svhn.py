"""SVHN's reader on Matlab files that SciPy wrote."""

from pathlib import Path

import numpy as np
import pytest
from original_files import tarred
from scipy.io import savemat

from interpreg import datasets

X = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 7), np.uint8)
Y = np.array([1, 9, 10, 2, 10, 5, 8], np.uint8)[:, None]


def saved(folder: Path, split: str = "train", compress: bool = True, **arrays: np.ndarray) -> Path:
    savemat(folder / f"{split}_32x32.mat", {"X": X, "y": Y} | arrays, do_compression=compress)
    return folder


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("split", ["train", "test", "extra"])
def test_images_and_labels(tmp_path: Path, split: str, compress: bool) -> None:
    read = datasets.svhn(saved(tmp_path, split, compress), split, checksum=False)
    assert read.images.shape == (7, 3, 32, 32)
    np.testing.assert_array_equal(read.images[4, 1].numpy(), X[:, :, 1, 4])
    assert read.labels.tolist() == [1, 9, 0, 2, 0, 5, 8]  # ten means nought


def test_inside_an_archive(tmp_path: Path) -> None:
    content = (saved(tmp_path) / "train_32x32.mat").read_bytes()
    path = tarred(tmp_path / "a.tgz", {"SVHN/train_32x32.mat": content})
    assert len(datasets.svhn(path, checksum=False)) == 7


@pytest.mark.parametrize(("arrays", "message"), [
    ({"X": X[:16]}, r"train_32x32.mat: expected X, uint8 \[32, 32, 3, n\], and y, got .*\(16, 32, 3, 7\)"),
    ({"X": X.astype(float)}, r"expected X, uint8 .*double"),
    ({"X": X[..., :6]}, r"y: expected 6 whole numbers, got uint8 \[7, 1\]"),
    ({"y": Y + np.uint8(1)}, r"y: expected labels of 0 to 9, got 11"),
    ({"y": Y.astype(float)}, r"y: expected 7 whole numbers, got float64"),
])  # fmt: skip
def test_arrays_that_are_something_else(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.svhn(saved(tmp_path, **arrays), checksum=False)


def test_corrupt_files_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path) / "train_32x32.mat"
    whole = path.read_bytes()
    flipped = whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:]
    for broken in (b"no matlab file" * 20, whole[:1000], whole[:-2000], flipped):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"train_32x32.mat: .*(corrupt|expected X, .* and y, got)"):
            datasets.svhn(tmp_path, checksum=False)


def test_what_is_missing_or_not_official(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no extra_32x32.mat; SVHN.*http://ufldl.stanford.edu"):
        datasets.svhn(tmp_path, "extra")
    with pytest.raises(ValueError, match="md5 e26dedcc434d2e4c54c9b2d4a06d8373, got md5"):
        datasets.svhn(saved(tmp_path))
    with pytest.raises(ValueError, match="split: expected one of 'train', 'test', 'extra', got 'all'"):
        datasets.svhn(tmp_path, "all")
