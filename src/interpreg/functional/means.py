"""Means over the batch and over elements, in fp32 at least, of valid positions."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import as_wide


def mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""The mean of all elements, or of those of valid positions.

    .. math:: \frac{\sum_{b,t} m_{bt} \sum_e v_{bte}}{E \sum_{b,t} m_{bt}}

    Args:
        values: ``[B, ...]``, floating point.
        mask: boolean ``[B, T]``, True where valid. All values count unless they are ``[B, T, ...]`` of rank 3 at
            least.

    Returns:
        0-dim, fp32 or wider; 0 where nothing is valid.

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape.

    >>> mean(torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]]), torch.tensor([[True, True], [True, False]]))
    tensor(3.)
    """
    _checks.check_tensor("values", values)
    if mask is not None:
        check_mask(mask, values.shape[0])
    values = as_wide(values)
    if mask is None or not has_positions(values, mask):
        return values.mean()
    return valid_part(values, mask).sum() / valid_count(values, mask)


def mean_of_samples(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of each sample, ``[B]``, of valid positions where there is a mask that fits."""
    values = as_wide(values)
    if mask is None or not has_positions(values, mask):
        return (values if values.ndim == 2 else values.reshape(values.shape[0], -1)).mean(1)
    return valid_part(values, mask).flatten(1).sum(1) / (mask.sum(1) * values[0, 0].numel()).clamp_min(1)


def mean_of_positions(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over positions, ``[B, ...]`` of values ``[B, T, ...]``; of the valid ones where there is a mask."""
    if mask is None:
        return values.mean(1)
    sums = valid_part(values, mask).sum(1)
    return sums / aligned(mask.sum(1).clamp_min(1), sums)


def valid_part(values: Tensor, mask: Tensor | None) -> Tensor:
    """The values, with 0 in positions that are not valid, where they may be NaN."""
    if mask is None or not has_positions(values, mask):
        return values
    return torch.where(aligned(mask, values), values, torch.zeros_like(values))


def valid_data(x: Tensor, mask: Tensor | None) -> Tensor:
    """:func:`valid_part` of floating point samples, which may be ``[B, T]``: signals of one number a position."""
    if mask is None or not x.is_floating_point():
        return x
    return valid_part(with_features(x, mask), mask).view(x.shape)


def with_features(x: Tensor, mask: Tensor | None) -> Tensor:
    """Samples ``[B, T]`` of one number a position as ``[B, T, 1]``, where there is a mask of them."""
    return x if mask is None or x.ndim > 2 else x.unsqueeze(-1)


def aligned(leading: Tensor, values: Tensor) -> Tensor:
    """Entries of samples ``[B]`` or positions ``[B, T]``, with axes of 1 to broadcast to values ``[B, T, ...]``."""
    return leading.view(*leading.shape, *[1] * (values.ndim - leading.ndim))


def valid_count(values: Tensor, mask: Tensor | None) -> int | Tensor:
    """The number of elements in valid positions, 1 at least."""
    if mask is None or not has_positions(values, mask):
        return values.numel()
    return (mask.sum() * values[0, 0].numel()).clamp_min(1)


def has_positions(values: Tensor, mask: Tensor) -> bool:
    """Whether ``values`` are ``[B, T, ...]`` with the mask's B and T."""
    # of rank 3 at least, because the length of vector codes may happen to be T
    return values.ndim >= 3 and values.shape[:2] == mask.shape


def check_positions(name: str, values: Tensor, mask: Tensor | None) -> None:
    """Raise ``ValueError`` for values of which a mask does not tell where they are valid: of rank 3, without its T."""
    if mask is not None and values.ndim > 2 and values.shape[1] != mask.shape[1]:
        raise ValueError(
            f"{name}: expected the mask's {mask.shape[1]} positions, [B, T, ...], or a vector a sample, [B, d], got "
            f"{_checks.describe(values)}, of which it is unknown what is padding; move channels behind positions, "
            "z.transpose(1, 2); flatten what is of the whole sequence, z.flatten(1); for layers with a stride s give "
            "frames of s positions, x.unflatten(1, (-1, s)).flatten(2) and mask[:, ::s]"
        )


def check_mask(mask: Tensor, batch_size: int) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``mask`` is a boolean ``[B, T]``."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"mask: expected a boolean tensor, True where valid, got {_checks.describe(mask)}")
    if mask.ndim != 2:
        raise ValueError(f"mask: expected shape [B, T], got {_checks.describe(mask)}")
    _checks.check_batch_size("mask", mask, batch_size)
