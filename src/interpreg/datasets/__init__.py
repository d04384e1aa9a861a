"""Data sets: generated on any device, included in scikit-learn, or read from official files."""

from interpreg.datasets import digits, lines, pole, stripes
from interpreg.datasets.named import GENERATED, NAMES, named
from interpreg.datasets.readers import READERS, celeba, cifar10, coil20, coil100, fashion_mnist, mnist, read, svhn
from interpreg.datasets.samples import Samples

__all__ = [
    "GENERATED",
    "NAMES",
    "READERS",
    "Samples",
    "celeba",
    "cifar10",
    "coil20",
    "coil100",
    "digits",
    "fashion_mnist",
    "lines",
    "mnist",
    "named",
    "pole",
    "read",
    "stripes",
    "svhn",
]
