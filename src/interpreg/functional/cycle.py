"""The distance of codes from the encoding of their decoded images."""

from torch import Tensor

from interpreg import _checks
from interpreg._numerics import widen
from interpreg.functional.means import mean


def cycle_loss(z_mix: Tensor, reencoded: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""The mean over the batch and over elements of :math:`(z_\mathrm{mix} - f(g(z_\mathrm{mix})))^2`.

    AEAI's :math:`\mathcal L_C` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a mean. Gradients go through both codes.

    Args:
        z_mix: mixed codes ``[B, ...]``.
        reencoded: the encoder's codes of their decoded images, shaped like them.
        mask: boolean ``[B, T]``; then the mean is over valid positions, where codes are sequences.

    Returns:
        0-dim, in fp32 at least, not negative.

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape.

    >>> cycle_loss(torch.zeros(2, 3), torch.full((2, 3), 2.0))
    tensor(4.)
    """
    _checks.check_tensor("z_mix", z_mix)
    _checks.check_tensor("reencoded", reencoded)
    _checks.check_shape("reencoded", reencoded, z_mix.shape, "z_mix")
    z_mix, reencoded = widen(z_mix, reencoded)
    return mean((z_mix - reencoded).square(), mask)
