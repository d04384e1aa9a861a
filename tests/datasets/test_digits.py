"""The digits are the ones scikit-learn carries, split by writers."""

import pytest
import torch
from sklearn.datasets import load_digits

from interpreg.datasets import digits


def test_all_digits_are_there_in_order_and_range() -> None:
    train, test, raw = digits.load("train"), digits.load("test"), load_digits()
    images = torch.cat([train.images, test.images])
    assert images.shape == (1797, 1, 8, 8)
    assert torch.equal((images[:, 0] + 1) * 8, torch.tensor(raw.images).float())
    assert torch.equal(torch.cat([train.labels, test.labels]), torch.tensor(raw.target))
    assert (images.min(), images.max()) == (-1, 1)
    assert (len(test), train.name, test.name) == (382, "digits", "digits")
    assert set(test.labels.tolist()) == set(range(10))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="split: expected one of 'train', 'test', got 'valid'"):
        digits.load("valid")
