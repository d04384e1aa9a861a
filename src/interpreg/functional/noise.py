"""Gaussian noise, dropout and samples of a posterior."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import normal, uniform


def add_noise(x: Tensor, std: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    r"""``x`` with independent :math:`\mathcal N(0, \mathrm{std}^2)` added to every element, unclipped.

    Args:
        x: any shape, floating point.
        std: at least 0.
        generator: draws the noise; torch's default generator when not given.

    Returns:
        Shaped and typed like ``x``.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.

    >>> add_noise(torch.ones(3), std=0.0)
    tensor([1., 1., 1.])
    """
    _checks.check_tensor("x", x)
    _checks.as_number("std", std)
    return (x + std * normal(x.shape, x, generator)).to(x.dtype)


def drop_out(z: Tensor, p: float = 0.5, generator: torch.Generator | None = None) -> Tensor:
    r"""``z`` with each element replaced by 0 with probability ``p``, the others divided by ``1 - p``.

    Args:
        z: any shape, floating point.
        p: in [0, 1).
        generator: draws the dropped elements; torch's default generator when not given.

    Returns:
        Shaped and typed like ``z``, with the same expectation.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.

    >>> drop_out(torch.ones(3), p=0.0)
    tensor([1., 1., 1.])
    """
    _checks.check_tensor("z", z)
    as_probability(p)
    stays = uniform(z.shape, z, generator) >= p
    return torch.where(stays, z / (1 - p), torch.zeros_like(z))


def sample_normal(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""A reparametrised sample, :math:`\mu + \sigma \epsilon` with :math:`\epsilon \sim \mathcal N(0, I)`.

    The exponential is taken in fp32 at least. (Kingma and Welling 2014, section 2.4.)

    Args:
        mean: mu, any shape, floating point.
        log_variance: :math:`\ln \sigma^2`, of the same shape.
        generator: draws epsilon; torch's default generator when not given.

    Returns:
        Shaped and typed like ``mean``.

    Raises:
        TypeError: not floating point tensors.
        ValueError: two shapes.

    >>> sample_normal(torch.ones(3), torch.full((3,), -200.0))
    tensor([1., 1., 1.])
    """
    _checks.check_tensor("mean", mean)
    _checks.check_tensor("log_variance", log_variance)
    _checks.check_shape("log_variance", log_variance, mean.shape, "the mean")
    noise = normal(mean.shape, mean, generator)
    std = (log_variance.to(noise.dtype) / 2).exp()
    return (mean + std * noise).to(mean.dtype)


def as_probability(p: float) -> float:
    """``p`` as a float; ``TypeError`` or ``ValueError`` unless it is in [0, 1)."""
    number = _checks.as_number("p", p, high=1.0)
    if number == 1.0:
        raise ValueError("p: expected a number below 1, because at 1 no element of the code is left, got 1.0")
    return number
