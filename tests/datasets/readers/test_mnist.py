"""MNIST's readers on files written by hand."""

import struct

import numpy as np
import pytest
import torch
from original_files import gzipped, idx_images, idx_labels, mnist_files, tarred, write, zipped

from interpreg import datasets

FILES = mnist_files()
IMAGES, LABELS = FILES
TRUTH = np.frombuffer(FILES[IMAGES], np.uint8, offset=16).reshape(12, 28, 28)
PLACES = {
    "folder": lambda tmp: write(tmp / "set", FILES),
    "nested": lambda tmp: write(tmp / "set", {f"MNIST/raw/{name}": content for name, content in FILES.items()}),
    "packed": lambda tmp: write(tmp / "set", gzipped(FILES)),
    "both": lambda tmp: write(tmp / "set", FILES | gzipped(FILES)),
    "dotted": lambda tmp: write(tmp / "set", {name.replace("-idx", ".idx"): c for name, c in FILES.items()}),
    "zip": lambda tmp: zipped(tmp / "set.zip", gzipped(FILES)),
    "tar.gz": lambda tmp: tarred(tmp / "set.tar.gz", {f"raw/{name}": content for name, content in FILES.items()}),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_gives_the_same(tmp_path, place: str) -> None:
    read = datasets.mnist(PLACES[place](tmp_path), checksum=False)
    assert read.images.dtype == torch.uint8
    np.testing.assert_array_equal(read.images[:, 0].numpy(), TRUTH)
    assert read.labels.tolist() == [i % 10 for i in range(12)]
    assert (read.name, read.parameters) == ("mnist", None)


def test_padding_is_black(tmp_path) -> None:
    read = datasets.fashion_mnist(write(tmp_path, FILES), size=32, checksum=False)
    np.testing.assert_array_equal(read.images[:, 0].numpy(), np.pad(TRUTH, ((0, 0), (2, 2), (2, 2))))
    assert (read.scaled()[:, :, :2].unique().tolist(), read.name) == ([-1.0], "fashion_mnist")


def test_the_test_split_is_in_the_other_files_and_no_images_are_fine(tmp_path) -> None:
    write(tmp_path, FILES | mnist_files(5, "t10k"))
    assert len(datasets.mnist(tmp_path, "test", checksum=False)) == 5
    assert len(datasets.mnist(tmp_path, "train", checksum=False)) == 12
    assert len(datasets.mnist(write(tmp_path / "none", mnist_files(0)), checksum=False)) == 0


def changed(**new: bytes) -> dict[str, bytes]:
    return FILES | {(IMAGES if kind == "images" else LABELS): content for kind, content in new.items()}


@pytest.mark.parametrize(("files", "message"), [
    (changed(images=FILES[IMAGES][:-1]), r"train-images.*: expected 9424 bytes for \[12, 28, 28\].*, got 9423"),
    (changed(images=FILES[IMAGES] + b"\0"), r"train-images.*: expected 9424 bytes.*, got 9425"),
    (changed(images=FILES[IMAGES][:10]), r"train-images.*: expected .* bytes.*, got 10"),
    (changed(images=b""), r"train-images.*: expected content, got an empty file"),
    (changed(labels=FILES[LABELS][:-3]), r"train-labels.*: expected 20 bytes.*, got 17"),
    (changed(images=FILES[LABELS]), r"train-images.*magic number 2051, got 2049, which is a file of labels"),
    (changed(labels=FILES[IMAGES]), r"train-labels.*magic number 2049, got 2051, which is a file of images"),
    (changed(labels=idx_labels(np.arange(9))), r"expected as many labels as images, 12, got 9"),
    (changed(labels=idx_labels(np.full(12, 10))), r"labels: expected labels of 0 to 9, got 10 at index 0"),
    (changed(images=struct.pack(">IIII", 2051, 2**31, 2**31, 28)), r"expected \d+ bytes for"),
    ({f"{IMAGES}.gz": b"no gzip", LABELS: FILES[LABELS]}, r"images-idx3-ubyte.gz: .*corrupt"),
    ({f"{IMAGES}.gz": gzipped(FILES)[f"{IMAGES}.gz"][:-9], LABELS: FILES[LABELS]}, r"ubyte.gz: .*corrupt"),
])  # fmt: skip
def test_files_that_are_something_else(tmp_path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.mnist(write(tmp_path, files), checksum=False)


def test_a_decompression_bomb_is_stopped(tmp_path) -> None:
    bomb = gzipped({IMAGES: FILES[IMAGES] + bytes(2**26)})
    assert len(bomb[f"{IMAGES}.gz"]) < 100_000
    with pytest.raises(ValueError, match="expected at most 67108864 bytes when decompressed"):
        datasets.mnist(write(tmp_path, bomb | {LABELS: FILES[LABELS]}))


def test_what_is_not_official_needs_leave(tmp_path) -> None:
    expected = r"train-images-idx3-ubyte: .* the official .* of MNIST, md5 6bbc9ace898e44ae57da46a324031adb, got"
    with pytest.raises(ValueError, match=f"{expected} md5 [0-9a-f]{{32}}; checksum=False reads it"):
        datasets.mnist(write(tmp_path, FILES))


def test_what_is_missing_is_named_with_its_home(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no train-images-idx3-ubyte; MNIST is four.*yann.lecun.com"):
        datasets.mnist(tmp_path)
    write(tmp_path, {IMAGES: FILES[IMAGES]})
    with pytest.raises(FileNotFoundError, match=r"no train-labels-idx1-ubyte; Fashion-MNIST.*zalandoresearch"):
        datasets.fashion_mnist(tmp_path, checksum=False)
    with pytest.raises(FileNotFoundError, match="no such folder or archive"):
        datasets.mnist(tmp_path / "nowhere")


def test_two_sets_in_one_folder_are_ambiguous(tmp_path) -> None:
    write(tmp_path, {f"{place}/raw/{name}": c for name, c in FILES.items() for place in ("MNIST", "FashionMNIST")})
    with pytest.raises(ValueError, match=r"expected one train-images-idx3-ubyte, got FashionMNIST/.*, MNIST/raw"):
        datasets.mnist(tmp_path)
    assert len(datasets.mnist(tmp_path / "MNIST", checksum=False)) == 12


@pytest.mark.parametrize(("options", "message"), [
    ({"split": "valid"}, "split: expected one of 'train', 'test', got 'valid'"),
    ({"size": 64}, "size: expected None, 28 or 32, got 64"),
])  # fmt: skip
def test_bad_options_are_named(tmp_path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.mnist(tmp_path, **options)


def test_images_of_another_size_are_not_padded(tmp_path) -> None:
    write(tmp_path, changed(images=idx_images(np.zeros((12, 20, 20), np.uint8))))
    with pytest.raises(ValueError, match="expected images of 28 x 28 to pad"):
        datasets.mnist(tmp_path, size=32, checksum=False)
