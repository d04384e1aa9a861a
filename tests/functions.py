"""Every public function of tensors, with arguments."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interpreg import functional

VALID = torch.arange(5) < torch.tensor([[5], [2], [3], [4]])


class Case(NamedTuple):
    """A function of tensors alone, and the shapes of these."""

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    is_loss: bool = True
    """Whether the value is 0-dim and in fp32 at least; otherwise it has the dtype of its arguments."""
    is_positive: bool = False
    """Whether the arguments are errors, of at least 0."""
    has_gradient: bool = True
    is_exact: bool = True
    """Whether half precision is that of the arguments alone: not that of drawn noise or of a parameter's gradient."""


def _linear(z: Tensor, direction: Tensor) -> Tensor:
    """The derivative of a decoder with a known one."""
    return functional.path_derivative(lambda codes: codes.sin(), z, direction)[1]


def _adaptive(scale: Tensor) -> Tensor:
    """The ratio of two gradients at one parameter."""
    if not isinstance(scale, Tensor) or not scale.is_floating_point():
        return functional.adaptive_weight(scale, scale, scale)
    with torch.inference_mode(False), torch.enable_grad():
        at = scale.detach().clone().requires_grad_()
        return functional.adaptive_weight((3 * at).square().sum(), at.sum(), at)


THREE = ((4, 3), (4, 3))
CASES: dict[str, Case] = {
    "adaptive_weight": Case(_adaptive, ((4,),), has_gradient=False, is_exact=False),
    "add_noise": Case(lambda x: functional.add_noise(x, 0.5), ((4, 3),), is_loss=False, is_exact=False),
    "bilinear": Case(lambda codes: functional.bilinear(codes, 3, 2), ((4, 3),), is_loss=False),
    "cycle_loss": Case(functional.cycle_loss, THREE),
    "cycle_loss of sequences": Case(lambda *z: functional.cycle_loss(*z, VALID), ((4, 5, 2), (4, 5, 2))),
    "distance_loss": Case(functional.distance_loss, ((4, 6), (4, 3))),
    "drop_out": Case(functional.drop_out, ((4, 3),), is_loss=False, is_exact=False),
    "gaia_autoencoder_loss": Case(functional.gaia_autoencoder_loss, ((), ()), is_positive=True),
    "gaia_balance": Case(lambda *e: functional.gaia_balance(*e)[0], ((), (), ()), is_positive=True),
    "gaia_critic_loss": Case(functional.gaia_critic_loss, ((), (), ()), is_positive=True),
    "gaia_simple_critic_loss": Case(functional.gaia_simple_critic_loss, ((), (), ()), is_positive=True),
    "kl_to_normal": Case(lambda *posterior: functional.kl_to_normal(*posterior).mean(), THREE),
    "mean": Case(functional.mean, ((4, 3, 2),)),
    "mean of sequences": Case(lambda values: functional.mean(values, VALID), ((4, 5, 2),)),
    "mix": Case(lambda *z: functional.mix(*z, 0.25), THREE, is_loss=False),
    "mmd2": Case(functional.mmd2, ((6, 3), (5, 3))),
    "mmd2_to_prior": Case(functional.mmd2_to_prior, ((6, 3),)),
    "path": Case(lambda *z: functional.path(*z, 4, "spherical"), THREE, is_loss=False),
    "path_derivative": Case(_linear, THREE, is_loss=False),
    "reconstruction_loss": Case(functional.reconstruction_loss, THREE),
    "reconstruction_loss bernoulli": Case(
        lambda logits, x: functional.reconstruction_loss(logits, x, "bernoulli"), THREE
    ),
    "sample_normal": Case(functional.sample_normal, THREE, is_loss=False, is_exact=False),
    "slerp": Case(lambda *z: functional.slerp(*z, 0.25), THREE, is_loss=False),
    "smoothness_loss": Case(functional.smoothness_loss, ((4, 3),)),
    "sparsity_kl": Case(functional.sparsity_kl, ((4, 3),)),
}


def arguments(case: Case, dtype: torch.dtype) -> list[Tensor]:
    """Arguments that every dtype holds exactly."""
    values = [(2 * torch.randn(shape)).to(torch.bfloat16) for shape in case.shapes]
    return [(v.abs() + 0.5 if case.is_positive else v).to(dtype) for v in values]
