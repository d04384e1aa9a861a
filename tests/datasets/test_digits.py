"""The digits are the ones scikit-learn carries, split by writers."""

import torch
from sklearn.datasets import load_digits

from interpreg.datasets import digits


def test_all_digits_are_there_in_order_and_range() -> None:
    data, raw = digits.load(), load_digits()
    images = torch.cat([data.train, data.test])
    assert images.shape == (1797, 1, 8, 8)
    assert torch.equal((images[:, 0] + 1) * 8, torch.tensor(raw.images).float())
    assert torch.equal(torch.cat([data.train_labels, data.test_labels]), torch.tensor(raw.target))
    assert (images.min(), images.max()) == (-1, 1)
    assert len(data.test) == 382
    assert set(data.test_labels.tolist()) == set(range(10))
