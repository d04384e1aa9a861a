"""The distance of reconstructions from the data."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from interpreg import _checks
from interpreg._numerics import wide_dtype, widen
from interpreg.functional.means import mean

ReconstructionLoss = Callable[..., Tensor]


def _bernoulli(x_hat: Tensor, x: Tensor, reduction: str = "mean") -> Tensor:
    return binary_cross_entropy_with_logits(x_hat, (x + 1) / 2, reduction=reduction)


LOSSES: dict[str, ReconstructionLoss] = {"mse": mse_loss, "l1": l1_loss, "bernoulli": _bernoulli}


def reconstruction_loss(
    x_hat: Any, x: Tensor, loss: str | ReconstructionLoss = "mse", mask: Tensor | None = None
) -> Tensor:
    r"""The mean over the batch and over elements of :math:`\ell(\hat x, x)`.

    Args:
        x_hat: reconstructions ``[B, ...]``.
        x: the data, shaped like them.
        loss: "mse", :math:`(\hat x - x)^2`; "l1", :math:`|\hat x - x|`; "bernoulli", the cross-entropy of
            :math:`(x + 1) / 2 \in [0, 1]` under logits :math:`\hat x` (images are then
            :math:`2 \mathrm{sigmoid}(\hat x) - 1`); or a callable ``loss(x_hat, x)``, with a mask
            ``loss(x_hat, x, mask)``, that returns a 0-dim tensor. It may take any objects, of any shapes; tensors of
            floats are given in fp32 at least.
        mask: boolean ``[B, T]``; then the mean is over valid positions.

    Returns:
        0-dim, in fp32 at least.

    Raises:
        TypeError, ValueError: not tensors; of another shape, except for a callable; an unknown loss, or one that does
            not return a 0-dim tensor; a mask that does not fit ``x``.

    >>> reconstruction_loss(torch.zeros(2, 3), torch.ones(2, 3), "l1")
    tensor(1.)
    """
    check_loss(loss)
    if callable(loss):
        x_hat, x = _wide_floats(x_hat, x)
        value = loss(x_hat, x) if mask is None else loss(x_hat, x, mask)
        if not isinstance(value, Tensor) or value.ndim != 0:
            raise ValueError(
                f"reconstruction loss: expected a 0-dim tensor from it, got {_checks.describe(value)}"
            )
        return value
    _checks.check_tensor("x_hat", x_hat)
    _checks.check_tensor("x", x)
    _checks.check_shape("x_hat", x_hat, x.shape, "x")
    x_hat, x = widen(x_hat, x)
    if mask is None:
        return LOSSES[loss](x_hat, x)
    if x.shape[:2] != mask.shape:
        raise ValueError(
            f"mask: expected the first two axes of x, {tuple(x.shape[:2])}, got {_checks.describe(mask)}"
        )
    return mean(LOSSES[loss](x_hat, x, reduction="none").reshape(*mask.shape, -1), mask)


def _wide_floats(*values: Any) -> tuple[Any, ...]:
    """All values, of which the tensors of floats are in the widest of their dtypes, fp32 at least."""
    dtype = wide_dtype(*(each for each in values if isinstance(each, Tensor) and each.is_floating_point()))
    return tuple(
        each.to(dtype) if isinstance(each, Tensor) and each.is_floating_point() else each for each in values
    )


def check_loss(loss: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``loss`` is a callable or one of the names."""
    _checks.check_name_or_callable("reconstruction loss", loss, LOSSES, "(x_hat, x)")
