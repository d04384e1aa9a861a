"""NumPy archives: keys, types, lengths and ranges; pickles are never executed."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from original_files import zipped

from interpreg import datasets

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 32, 32, 3), np.uint8)
LABELS = np.array([5, 0, 4, 1, 9, 2])


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("images", "labels"), [("X", "y"), ("images", "labels"), ("x", "y"), ("x_test", "y_test")]
)
@pytest.mark.parametrize("compressed", [True, False])
def test_all_spellings_of_the_keys(tmp_path: Path, images: str, labels: str, compressed: bool) -> None:
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / "a.npz", **{images: COLOUR, labels: LABELS[:, None].astype(np.uint8)})
    read = datasets.svhn(tmp_path / "a.npz", "test")
    assert torch.equal(read.images, torch.from_numpy(COLOUR.transpose(0, 3, 1, 2).copy()))
    assert (read.labels.tolist(), read.labels.dtype) == (LABELS.tolist(), torch.long)
    assert (read.images.dtype, read.name) == (torch.uint8, "svhn")


def test_grey_images_with_and_without_a_channel(tmp_path: Path) -> None:
    grey = np.asfortranarray(COLOUR[..., 0])
    np.savez(tmp_path / "a.npz", X=grey, y=LABELS)
    np.savez(tmp_path / "b.npz", X=grey[..., None], y=LABELS)
    one, other = datasets.mnist(tmp_path / "a.npz"), datasets.mnist(tmp_path / "b.npz", size=32)
    assert torch.equal(one.images, torch.from_numpy(np.ascontiguousarray(grey))[:, None])
    assert torch.equal(one.images, other.images)


def test_a_pickle_is_refused_and_never_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    objects = np.empty(6, dtype=object)
    objects[:] = Bomb(mark)
    for key in ("X", "y"):
        np.savez(tmp_path / "a.npz", **{"X": COLOUR, "y": LABELS, key: objects}, allow_pickle=True)
        with pytest.raises(ValueError, match=f"a.npz: {key}: holds pickled objects, which are never loaded"):
            datasets.cifar10(tmp_path / "a.npz")
    assert not mark.exists()
    with np.load(tmp_path / "a.npz", allow_pickle=True) as archive:
        archive["y"]
    assert mark.exists()  # the bomb was live


@pytest.mark.parametrize(("arrays", "message"), [
    ({"y": LABELS}, r"expected an array called x_train or X or images or x, got y"),
    ({"X": COLOUR}, r"expected an array called y_train or y or labels, got X"),
    ({"X": COLOUR.astype(np.float32), "y": LABELS}, r"images: expected uint8 \[n, H, W, 3\], got float32"),
    ({"X": COLOUR.transpose(0, 3, 1, 2), "y": LABELS}, r"images: expected uint8 \[n, H, W, 3\], got uint8 \[6, 3"),
    ({"X": COLOUR[..., 0], "y": LABELS}, r"images: expected uint8 \[n, H, W, 3\], got uint8 \[6, 32, 32\]"),
    ({"X": COLOUR, "y": LABELS[:5]}, r"labels: expected 6 whole numbers, got int64 \[5\]"),
    ({"X": COLOUR, "y": LABELS * 1.0}, r"labels: expected 6 whole numbers, got float64 \[6\]"),
    ({"X": COLOUR, "y": LABELS + 1}, r"labels: expected labels of 0 to 9, got 10 at index 4"),
    ({"X": COLOUR, "y": LABELS - 1}, r"labels: expected labels of 0 to 9, got -1 at index 1"),
])  # fmt: skip
def test_arrays_that_are_something_else(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        datasets.cifar10(tmp_path / "a.npz")


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    """A member of a few bytes that claims to be large is refused before memory is taken for it."""
    for shape, message in [
        ((10**12, 32, 32, 3), "expected at most"),
        ((9, 32, 32, 3), "expected 27776 bytes by its"),
    ]:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        zipped(tmp_path / "a.npz", {"X.npy": stream.getvalue() + b"\0" * 100})
        with pytest.raises(ValueError, match=f"X: {message}"):
            datasets.cifar10(tmp_path / "a.npz")


def test_corrupt_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"no such file; CIFAR-10 is the binary.*https://www.cs.toronto"):
        datasets.cifar10(path)
    np.savez(path, X=COLOUR, y=LABELS)
    whole = path.read_bytes()
    for broken in (b"", b"no zip", whole[:5000]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="corrupt"):
            datasets.cifar10(path)
    at = whole.index(COLOUR[3, 3].tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(ValueError, match=r"X: cannot be read, the file is corrupt"):
        datasets.cifar10(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"no array")
    with pytest.raises(ValueError, match="X: not an array of numbers, or corrupt"):
        datasets.cifar10(path)
