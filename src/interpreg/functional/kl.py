"""The divergence of a Gaussian posterior from the standard normal prior."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import widen


def kl_to_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""The KL divergence of :math:`\mathcal N(\mu, \sigma^2)` from :math:`\mathcal N(0, 1)`, element by element.

    .. math:: \frac12 \left(\mu^2 + \sigma^2 - 1 - \ln \sigma^2\right)

    (Kingma and Welling 2014, appendix B.)

    Args:
        mean: mu, any shape, floating point.
        log_variance: :math:`\ln \sigma^2`, of the same shape.

    Returns:
        In nats, of the same shape, at least 0; fp32 or wider. From :math:`\ln \sigma^2` of 89 on it is infinite
        in fp32.

    Raises:
        TypeError: not floating point tensors.
        ValueError: two shapes.

    >>> kl_to_normal(torch.tensor([0.0, 2.0]), torch.zeros(2))
    tensor([0., 2.])
    """
    _checks.check_tensor("mean", mean)
    _checks.check_tensor("log_variance", log_variance)
    _checks.check_shape("log_variance", log_variance, mean.shape, "the mean")
    mean, log_variance = widen(mean, log_variance)
    # expm1, because exp(log_variance) - 1 loses its digits where the posterior is close to the prior
    return (mean.square() + torch.expm1(log_variance) - log_variance) / 2
