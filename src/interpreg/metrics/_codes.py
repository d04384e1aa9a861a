"""What the measures of codes and features ask of their tensors, beyond ``interpreg._checks``: finite values, labels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks

Array = np.ndarray[Any, np.dtype[Any]]
BLOCK = 4096  # samples looked at a time, so that memory stays bounded


def flat(name: str, codes: Tensor, low: int = 1) -> Tensor:
    """The codes as ``[n, d]`` without their graph; an error unless at least ``low``, not empty and finite."""
    _checks.check_tensor(name, codes)
    if len(codes) < low or codes.numel() == 0:
        raise ValueError(f"{name}: expected at least {low} of at least one element, got {_checks.describe(codes)}")
    check_finite(name, codes)
    return codes.detach().reshape(len(codes), -1)


def check_finite(name: str, values: Tensor) -> None:
    """Raise ``ValueError`` with the count of the samples of ``values`` that have NaN or infinite elements."""
    wrong = [~block.isfinite() for block in values.detach().split(BLOCK)]
    bad = sum(int((block.flatten(1).any(1) if block.ndim > 1 else block).sum()) for block in wrong)
    if bad:
        raise ValueError(
            f"{name}: expected finite {'codes' if 'codes' in name else 'values'}, got {bad} of {len(values)} samples "
            "with some that are NaN or infinite"
        )


def check_labels(name: str, labels: Tensor, codes_name: str, codes: Tensor) -> None:
    """Raise ``ValueError`` unless ``labels`` are whole numbers, one for each of ``codes``."""
    wrong = not isinstance(labels, Tensor) or labels.is_floating_point() or labels.dtype == torch.bool
    if wrong or labels.shape != codes.shape[:1]:
        raise ValueError(
            f"{name}: expected whole numbers of shape [{len(codes)}], one for each of {codes_name}, "
            f"got {_checks.describe(labels)}"
        )


def labelled(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> tuple[Array, Array, Array, Array]:
    """All four as arrays, codes in float64 and ``[n, d]``; an error unless they fit and there are two classes."""
    train, test = flat("codes", codes), flat("test_codes", test_codes)
    check_labels("labels", labels, "codes", codes)
    check_labels("test_labels", test_labels, "test_codes", test_codes)
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
