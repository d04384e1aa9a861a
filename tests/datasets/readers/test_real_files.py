"""The readers on the real files, whose statistics are known."""

import shutil

import pytest
import real_files
import torch

from interpreg import datasets
from interpreg.datasets import Samples


@pytest.fixture(scope="module")
def train() -> Samples:
    return datasets.mnist(real_files.mnist())


def test_mnists_training_set(train: Samples) -> None:
    assert train.images.shape == (60_000, 1, 28, 28)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (train.labels.bincount().tolist(), train.labels[:5].tolist()) == (counts, [5, 0, 4, 1, 9])
    mean = train.images.sum(dtype=torch.long).item() / train.images.numel()
    assert mean == pytest.approx(33.318, abs=5e-4)
    assert mean / 255 == pytest.approx(0.1307, abs=5e-5)  # as everybody normalises it


def test_mnists_test_set() -> None:
    test = datasets.mnist(real_files.mnist(), "test", size=32)
    assert (test.images.shape, test.labels[:5].tolist()) == ((10_000, 1, 32, 32), [7, 2, 1, 0, 4])
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_fashion_mnist() -> None:
    folder = real_files.fashion_mnist()
    for split, n in (("train", 6000), ("test", 1000)):
        read = datasets.fashion_mnist(folder, split)
        assert read.labels.bincount().tolist() == [n] * 10
    mean = datasets.fashion_mnist(folder).images.sum(dtype=torch.long).item() / (60_000 * 28 * 28)
    assert mean / 255 == pytest.approx(0.2860, abs=5e-5)


def test_one_flipped_byte_is_noticed(tmp_path) -> None:
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        shutil.copy(real_files.mnist() / name, tmp_path / name)
    path = tmp_path / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[5_000_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t10k-images.*md5 2646ac647ad5339dbf082846283269ea, got md5"):
        datasets.mnist(tmp_path, "test")
    assert len(datasets.mnist(tmp_path, "test", checksum=False)) == 10_000


def test_one_set_is_not_taken_for_the_other() -> None:
    with pytest.raises(ValueError, match="expected the official train-images-idx3-ubyte of Fashion-MNIST"):
        datasets.fashion_mnist(real_files.mnist())
