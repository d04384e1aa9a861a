"""Handwritten digits that are included in scikit-learn.

1,797 digits of 8 x 8 pixels written by 13 people, the test part of "Optical Recognition of Handwritten Digits"
(Alpaydin and Kaynak 1998, UCI repository, CC BY 4.0).
"""

from typing import Literal

import torch

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg.datasets.samples import Samples

# digits are ordered by writer; the last writers begin here ("Sample grouping" in scikit-learn's MOOC)
FIRST_TEST_DIGIT = 1415


def load(split: Literal["train", "test"] = "train") -> Samples:
    """Images ``[n, 1, 8, 8]`` in [-1, 1], labels 0 to 9.

    Args:
        split: "train" (the first 1,415 digits) or "test" (the last 382, by other writers).

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: an unknown split.
    """
    _checks.check_one_of("split", split, ("train", "test"))
    bunch = optional_import("sklearn.datasets", "metrics", "the digits dataset").load_digits()
    rows = slice(FIRST_TEST_DIGIT) if split == "train" else slice(FIRST_TEST_DIGIT, None)
    images = torch.tensor(bunch.images[rows], dtype=torch.float32)[:, None] / 8 - 1  # from 0..16
    return Samples(images, torch.tensor(bunch.target[rows], dtype=torch.long), name="digits")
