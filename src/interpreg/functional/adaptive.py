"""A weight that keeps two losses' gradients in proportion."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import as_wide


def adaptive_weight(reference: Tensor, adversarial: Tensor, at: Tensor, *, most: float = 1e4) -> Tensor:
    r"""The ratio of two losses' gradient norms at a parameter (VQGAN, Esser et al. 2021, eq. 7).

    .. math:: \min\left(\frac{\lVert \nabla_{\theta} L_\mathrm{reference} \rVert}
              {\lVert \nabla_{\theta} L_\mathrm{adversarial} \rVert + 10^{-4}}, \mathrm{most}\right)

    with theta the decoder's last layer. Multiplied by it, the adversarial loss has a gradient as large as the other's.

    Args:
        reference: 0-dim loss, of the reconstruction.
        adversarial: 0-dim loss.
        at: the parameter; both losses must depend on it.
        most: the ratio's upper end.

    Returns:
        0-dim, detached, in [0, ``most``], in fp32 at least.

    Raises:
        TypeError, ValueError: a loss that is not 0-dim, or a parameter that is no tensor.
        RuntimeError: torch's own, where a loss does not depend on the parameter.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> adaptive_weight(6 * w.sum(), 2 * w.sum(), w).round(decimals=3)
    tensor(3.)
    """
    _checks.check_scalars(reference=reference, adversarial=adversarial)
    _checks.check_parameter("at", at)
    (pull,) = torch.autograd.grad(reference, at, retain_graph=True)
    (push,) = torch.autograd.grad(adversarial, at, retain_graph=True)
    ratio = as_wide(pull.detach()).norm() / (as_wide(push.detach()).norm() + 1e-4)
    return ratio.clamp(max=most)  # type: ignore[no-any-return]
