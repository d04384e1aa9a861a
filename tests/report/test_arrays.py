"""Samples in NumPy files: every dtype is scaled right, or refused with the line that mends it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from interpreg.report.arrays import read

GREY = np.arange(6 * 4 * 4).reshape(6, 4, 4) % 2  # zeros and ones
COLOUR = np.arange(7 * 6 * 5 * 3).reshape(7, 6, 5, 3) % 2


def saved(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


@pytest.mark.fault(
    "Data",
    "A report's file of 16-bit or boolean images was taken unscaled (Nerogar/mgds#55).",
    now="scaled by the type: uint8, uint16 and bool to [-1, 1]",
)
@pytest.mark.parametrize(("dtype", "largest"), [("uint8", 255), ("uint16", 65535), (">u2", 65535), ("bool", 1)])
@pytest.mark.parametrize("bits", [GREY, COLOUR], ids=["grey", "colour"])
def test_integers_are_scaled_by_their_type(tmp_path: Path, dtype: str, largest: int, bits: np.ndarray) -> None:
    x = read(saved(tmp_path, X=(bits * largest).astype(dtype))).scaled()
    expected = bits[..., None] if bits.ndim == 3 else bits
    torch.testing.assert_close(x, torch.from_numpy(2.0 * expected - 1).float().movedim(-1, 1))
    middle = np.full((2, 4, 4), largest // 3, dtype)
    assert read(saved(tmp_path, X=middle)).scaled().mean().item() == pytest.approx(
        2 * (largest // 3) / largest - 1
    )


@pytest.mark.parametrize(("x", "message"), [
    (GREY.astype(np.uint8), "expected pixels of 0 to 255, .* got at most 1; give floats .* / 0.5 - 1"),
    ((4095 * GREY).astype(np.uint16), "expected pixels of 0 to 65535, .* at most 4095; .* / 2047.5 - 1"),
    ((30_000 * GREY).astype(np.int16), "expected uint8, uint16 or floats .* got int16; save X / 32767.5 - 1"),
    (4000 * GREY - 1000, "got int64; save 2 * (X - -1000) / 4000 - 1"),
    ((255 * GREY).astype(np.int32), "got int32; save X / 127.5 - 1"),
    ((255 * COLOUR).astype(np.uint8).transpose(0, 3, 1, 2), "channels last, .* save X.transpose(0, 2, 3, 1)"),
    (COLOUR.astype(np.float32), "channels first, .* save X.transpose(0, 3, 1, 2)"),
    (np.where(GREY == 1, np.nan, 0.0), "a.npz: X: expected finite values, got 6 of 6 samples"),
    (GREY + 1j, "expected numbers of shape [n, ...], got complex128 [6, 4, 4]"),
    (np.array(["a", "b"]), "expected numbers of shape [n, ...], got <U1 [2]"),
    (np.zeros(6), "expected numbers of shape [n, ...], got float64 [6]"),
])  # fmt: skip
def test_what_could_be_misread_is_refused(tmp_path: Path, x: np.ndarray, message: str) -> None:
    pattern = re.escape(message).replace(r"\ \.\*\ ", " .* ").replace(r"\.\*", ".*")
    with pytest.raises(ValueError, match=pattern):
        read(saved(tmp_path, X=x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "longdouble"])
def test_floats_of_any_width_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    x = (np.arange(12).reshape(3, 4) / 8 - 1).astype(dtype)
    for path in (saved(tmp_path, X=x), saved(tmp_path, images=x)):
        assert torch.equal(read(path).images, torch.from_numpy(x.astype(np.float32)))
    np.save(tmp_path / "b.npy", x)
    assert torch.equal(read(tmp_path / "b.npy").images, torch.from_numpy(x.astype(np.float32)))


@pytest.mark.fault(
    "Data",
    "A `y` of floats, `[n, 1]` or one-hot, in a report's file.",
    now="whole numbers in any of these forms are the labels; `y = 0.7` is a `ValueError`, it was truncated to 0",
)
def test_labels_in_every_form(tmp_path: Path) -> None:
    x, y = np.zeros((6, 3)), np.array([0, 2, 1, 1, 0, 2])
    for form in (y, y.astype(np.uint8), y.astype(float), y[:, None], np.eye(3)[y], np.eye(3, dtype=bool)[y]):
        assert read(saved(tmp_path, X=x, y=form)).labels.tolist() == y.tolist()
    for wrong, message in (
        (y + 0.7, "a.npz: y: expected whole numbers .* with values such as 0.7"),
        (np.where(y == 1, np.nan, y), "with values such as nan"),
        (y[:5], r"expected whole numbers of shape \[6\]"),
        (np.ones((6, 3)), "or one-hot ones"),
        (np.array(list("abcabc")), r"np.unique\(y, return_inverse=True\)\[1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            read(saved(tmp_path, X=x, y=wrong))


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, X=np.zeros((6, 3)), targets=np.arange(6))
    with pytest.warns(UserWarning, match="a.npz: targets: not used; expected X and y"):
        read(path)
    with pytest.raises(ValueError, match=r"a.npz: expected an array X, got y"):
        read(saved(tmp_path, y=np.zeros(3)))


@pytest.mark.parametrize(("content", "message"), [
    (b"", "an empty file"), (b"<html>", "a web page"), (b"version https://git-lfs", "run git lfs pull"),
    (b"\x89PNG", "got a PNG file"), (b"x,y\n1,2\n", "got another one"), (b"PK\x03\x04 and no more", "in a whole file"),
])  # fmt: skip
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.npz")
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        read(tmp_path)
