"""Reading by name."""

import numpy as np
import pytest
from original_files import mnist_files, write

from interpreg import datasets


def test_names() -> None:
    assert datasets.NAMES == (
        "lines", "stripes", "pole", "digits",
        "mnist", "fashion_mnist", "svhn", "cifar10", "celeba", "coil20", "coil100",
    )  # fmt: skip
    for name, reader in datasets.READERS.items():
        assert getattr(datasets, name) is reader


def test_the_split_and_options_reach_the_reader(tmp_path) -> None:
    write(tmp_path, mnist_files(12) | mnist_files(5, "t10k"))
    assert len(datasets.read("mnist", tmp_path, checksum=False)) == 12
    test = datasets.read("mnist", tmp_path, "test", size=32, checksum=False)
    assert test.images.shape == (5, 1, 32, 32)


def test_bad_input_is_named(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"name: expected one of 'mnist', .* got 'imagenet'"):
        datasets.read("imagenet", tmp_path)
    with pytest.raises(ValueError, match="split: expected None, coil100 has no splits, got 'train'"):
        datasets.read("coil100", tmp_path, "train")


@pytest.mark.parametrize("module", ["PIL", "scipy"])
def test_without_an_optional_dependency(tmp_path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence that says what to install; .npz files need none of them."""
    for name in ("PIL", "PIL.Image", "scipy", "scipy.io"):
        if name.startswith(module):
            monkeypatch.setitem(__import__("sys").modules, name, None)
    write(tmp_path, {f"obj1__{5 * k}.png": b"x" for k in range(72)})
    call = (
        (lambda: datasets.coil100(tmp_path, objects=[1])) if module == "PIL" else lambda: datasets.svhn(tmp_path)
    )
    with pytest.raises(ImportError, match=rf"needs {module}, .*installed: pip install 'interpreg\[data\]'"):
        call()
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 32, 32, 3), np.uint8), y=[0, 1])
    assert len(datasets.svhn(tmp_path / "a.npz")) == 2
