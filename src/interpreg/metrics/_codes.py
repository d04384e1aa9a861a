"""Checks of values, beyond the types and shapes of ``interpreg._checks``: finite numbers, classes."""

from typing import Any

import numpy as np
from torch import Tensor

from interpreg import _checks

Array = np.ndarray[Any, np.dtype[Any]]
NUMBERS_PER_BLOCK = 2**22  # 32 MiB in float64: bounds the memory
MIN_RELATIVE_STD = 1e-6  # of the largest: an element or direction of less does not vary


def as_rows(name: str, codes: Tensor, low: int = 1) -> Tensor:
    """The codes as ``[n, d]`` without their graph; an error unless at least ``low``, not empty and finite."""
    _checks.check_tensor(name, codes)
    if len(codes) < low or codes.numel() == 0:
        raise ValueError(f"{name}: expected at least {low} of at least one element, got {_checks.describe(codes)}")
    check_finite(name, codes)
    return codes.detach().reshape(len(codes), -1)


def rows_per_block(values: Tensor) -> int:
    """How many samples have ``NUMBERS_PER_BLOCK`` elements, at least 1."""
    return max(1, NUMBERS_PER_BLOCK // max(1, values[:1].numel()))


def blocks(*values: Tensor) -> Any:
    """Values in blocks of samples, so that a copy of a block in float64 is small; of several, tuples of blocks."""
    size = rows_per_block(values[0])
    parts = [each.detach().split(size) for each in values]
    return parts[0] if len(parts) == 1 else zip(*parts, strict=True)


def mean_squared_error(images: Tensor, others: Tensor) -> float:
    """The mean squared difference of an element, in float64."""
    sums = [float((a.double() - b.double()).square().sum()) for a, b in blocks(images, others)]
    return sum(sums) / images.numel()


def check_finite(name: str, values: Tensor) -> None:
    """Raise unless ``values`` are a floating point batch; the error counts the samples that are not finite."""
    _checks.check_tensor(name, values)
    wrong = sum(int((~block[:, None].isfinite()).flatten(1).any(1).sum()) for block in blocks(values))
    if wrong:
        raise ValueError(
            f"{name}: expected finite {'codes' if 'codes' in name else 'values'}, got {wrong} of {len(values)} samples "
            "with some that are NaN or infinite"
        )


def as_arrays(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> tuple[Array, Array, Array, Array]:
    """All four as arrays, codes ``[n, d]`` in float64; an error unless shapes fit and there are two classes."""
    train, test = as_rows("codes", codes), as_rows("test_codes", test_codes)
    _checks.check_labels("labels", labels, len(codes), "codes")
    _checks.check_labels("test_labels", test_labels, len(test_codes), "test_codes")
    if test_codes.shape[1:] != codes.shape[1:]:
        raise ValueError(
            f"test_codes: expected the shape of codes, {tuple(codes.shape[1:])} a sample, "
            f"got {_checks.describe(test_codes)}"
        )
    classes, truth, test_truth = labels.unique(), labels.cpu().numpy(), test_labels.cpu().numpy()
    if len(classes) < 2:
        raise ValueError(f"labels: expected at least two classes, got {len(classes)}")
    unseen = np.setdiff1d(test_truth, truth)
    if len(unseen):
        raise ValueError(f"test_labels: expected classes that are in labels, got also {unseen.tolist()}")
    return train.double().cpu().numpy(), truth, test.double().cpu().numpy(), test_truth
