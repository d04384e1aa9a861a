"""Real handwritten digits that come inside a package: nothing is downloaded.

1,797 digits of 8 x 8 pixels written by 13 people, the test part of "Optical Recognition of Handwritten Digits"
(Alpaydin and Kaynak 1998, UCI repository, CC BY 4.0), as carried by scikit-learn.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from interpreg._extras import optional_import

# The file goes writer by writer; this is where one begins, according to "Sample grouping" in scikit-learn's MOOC.
FIRST_TEST_DIGIT = 1415


class Digits(NamedTuple):
    """Images ``[n, 1, 8, 8]`` in [-1, 1] and labels ``[n]``, of two groups of writers."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def load() -> Digits:
    """The first 1,415 digits to train on and the last 382, by other people's hands, to test on.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    bunch = optional_import("sklearn.datasets", "metrics", "the digits dataset").load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 8 - 1  # from 0..16
    labels = torch.tensor(bunch.target, dtype=torch.long)
    cut = FIRST_TEST_DIGIT
    return Digits(images[:cut], labels[:cut], images[cut:], labels[cut:])
