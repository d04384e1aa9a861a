"""CIFAR-10's reader on records written by hand."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from original_files import cifar_batch, tarred, write

from interpreg import datasets

BATCHES = [cifar_batch(4, seed) for seed in range(6)]
FILES = {f"cifar-10-batches-bin/data_batch_{i + 1}.bin": BATCHES[i][0] for i in range(5)}
FILES["cifar-10-batches-bin/test_batch.bin"] = BATCHES[5][0]
FIRST = "cifar-10-batches-bin/data_batch_1.bin"


@pytest.mark.parametrize("archive", [False, True])
def test_five_files_in_their_order_to_train_on_one_to_test(tmp_path: Path, archive: bool) -> None:
    path = tarred(tmp_path / "c.tar.gz", dict(reversed(FILES.items()))) if archive else write(tmp_path, FILES)
    train, test = datasets.cifar10(path, checksum=False), datasets.cifar10(path, "test", checksum=False)
    np.testing.assert_array_equal(train.images.numpy(), np.concatenate([images for _, images, _ in BATCHES[:5]]))
    assert train.labels.tolist() == [int(label) for _, _, labels in BATCHES[:5] for label in labels]
    np.testing.assert_array_equal(test.images.numpy(), BATCHES[5][1])


@pytest.mark.parametrize(("content", "message"), [
    (BATCHES[0][0][:-1], r"data_batch_1.bin: expected records of 3073 bytes, got 12291 bytes"),
    (b"", r"data_batch_1.bin: expected content, got an empty file; get it again"),
    (b"\x0a" + BATCHES[0][0][1:], r"data_batch_1.bin: expected labels of 0 to 9, got 10 at index 0"),
    (bytes(10_001 * 3073), r"data_batch_1.bin: expected at most 30730000 bytes, got 30733073"),
])  # fmt: skip
def test_files_that_are_something_else(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.cifar10(write(tmp_path, FILES | {FIRST: content}), checksum=False)


def test_the_python_version_is_never_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (mark,)

    write(tmp_path, {"cifar-10-batches-py/data_batch_1": pickle.dumps(Bomb())})
    with pytest.raises(ValueError, match=r"data_batch_1: .*which is pickled; .*never loaded: get the binary"):
        datasets.cifar10(tmp_path)
    assert not mark.exists()


def test_what_is_missing_or_not_official(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no test_batch.bin; CIFAR-10 is.*https://www.cs.toronto.edu"):
        datasets.cifar10(tmp_path, "test")
    with pytest.raises(ValueError, match="md5 5dd7e06a14cb22eb9f671a540d1b7c25, got md5"):
        datasets.cifar10(write(tmp_path, FILES))
    (tmp_path / FIRST).unlink()
    with pytest.raises(FileNotFoundError, match=r"no data_batch_1.bin"):
        datasets.cifar10(tmp_path, checksum=False)
