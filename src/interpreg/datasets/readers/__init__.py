"""Readers of the files that data sets are published as. Nothing is downloaded, extracted or unpickled."""

import inspect
from collections.abc import Callable
from typing import Any

from interpreg import _checks
from interpreg.datasets.readers.about import About, StrPath
from interpreg.datasets.readers.celeba import CELEBA, celeba
from interpreg.datasets.readers.cifar import CIFAR10, cifar10
from interpreg.datasets.readers.coil import COIL20, COIL100, coil20, coil100
from interpreg.datasets.readers.mnist import FASHION, MNIST, fashion_mnist, mnist
from interpreg.datasets.readers.svhn import SVHN, svhn
from interpreg.datasets.samples import Samples

READERS: dict[str, Callable[..., Samples]] = {
    reader.__name__: reader for reader in (mnist, fashion_mnist, svhn, cifar10, celeba, coil20, coil100)
}
ABOUT: dict[str, About] = {about.name: about for about in (MNIST, FASHION, SVHN, CIFAR10, CELEBA, COIL20, COIL100)}


def read(name: str, path: StrPath, split: str | None = None, **options: Any) -> Samples:
    """The data set called ``name``, read from ``path`` by the reader of that name.

    Args:
        name: a key of ``READERS``.
        path: where its files are.
        split: such as "train", which is also what None means; the COIL sets have no splits.
        options: further arguments of the reader.

    Raises:
        ValueError: there is no reader ``name``, or it has no splits; and the reader's own errors.
    """
    _checks.check_one_of("name", name, READERS)
    reader = READERS[name]
    if split is not None:
        if "split" not in inspect.signature(reader).parameters:
            raise ValueError(f"split: expected None, {name} has no splits, got {split!r}")
        options["split"] = split
    return reader(path, **options)


__all__ = ["ABOUT", "READERS", "celeba", "cifar10", "coil20", "coil100", "fashion_mnist", "mnist", "read", "svhn"]
