"""All regularizers, and combinations of them, for the tests of what each of them keeps to."""

from collections.abc import Callable

import pytest
from torch import nn
from wrapped import quantized, variational

import interpreg as ip
from interpreg.kernels import RBF, Energy


def _with_critic(encoder: nn.Module, decoder: nn.Module) -> ip.Regularizer:
    """A critic on a variational autoencoder."""
    return ip.ACAIRegularizer(encoder, decoder) + ip.KLPrior(encoder, decoder, weight=0.1)


def _quantized_inside(encoder: ip.VectorQuantizer, decoder: nn.Module) -> ip.Regularizer:
    """A critic of what is mixed before it is quantized."""
    decoder = encoder.before(decoder)
    return ip.VQVAERegularizer(encoder, decoder) + ip.ACAIRegularizer(encoder, decoder, reconstruction=None)


def shape(encoder: nn.Module) -> tuple[int, ...]:
    """Of a code of one of the zoo's encoders, which a latent critic may be told."""
    return encoder.code_shape


REGULARIZERS: dict[str, Callable[[nn.Module, nn.Module], ip.Regularizer]] = {
    "reconstruction": ip.Reconstruction, "critic": ip.Critic, "acai": ip.ACAIRegularizer,
    "sum": lambda e, d: ip.Reconstruction(e, d) + ip.Critic(e, d) + ip.Critic(e, d, loss="hinge"),
    "multidimensional code-shaped": lambda e, d: ip.Critic(
        e, d, judge="code", interpolator=ip.Interpolator(kind="multidimensional")
    ),
    "bernoulli bce": lambda e, d: ip.Critic(e, d, loss="bce", interpolator=ip.Interpolator(kind="bernoulli")),
    "convex": lambda e, d: ip.Critic(e, d, interpolator=ip.Interpolator(kind="convex", ways=3)),
    "spherical": lambda e, d: ip.Critic(e, d, interpolator=ip.Interpolator(kind="spherical")),
    "scheduled": lambda e, d: ip.ACAIRegularizer(
        e, d, critic_weight=ip.Ramp(1.0, start=1), weight=ip.Ramp(0.5, start=2, over=3)
    ),
    "mmd": ip.MMDPrior,
    "mmd sampled": lambda e, d: ip.MMDPrior(e, d, prior="sphere", kernel=Energy(), closed_form=False),
    "mmd median": lambda e, d: ip.MMDPrior(e, d, kernel=RBF("median"), estimator="biased"),
    "sinkhorn": ip.SinkhornPrior,
    "acai + mmd": lambda e, d: ip.ACAIRegularizer(e, d) + ip.MMDPrior(e, d, kernel=RBF.midrae()) + ip.MMDPrior(e, d),
    "dual critic": lambda e, d: ip.DualCritic(e, d, judge="mean"),
    "miae": lambda e, d: ip.MIAERegularizer(e, d, preset="published"),
    "lrae": ip.LRAERegularizer, "midrae": ip.MIDRAERegularizer,
    "midrae as published": lambda e, d: ip.MIDRAERegularizer(e, d, preset="published"),
    "vae": lambda e, d: ip.VAERegularizer(variational(e), d),
    "vae as published": lambda e, d: ip.VAERegularizer(variational(e, sample="always"), d, preset="published"),
    "vqvae": lambda e, d: ip.VQVAERegularizer(quantized(e), d),
    "vqvae interpolated before quantizing": lambda e, d: _quantized_inside(quantized(e, codes="continuous"), d),
    "acai on a vae": lambda e, d: _with_critic(variational(e), d),
    "denoising": ip.DenoisingRegularizer, "dropout": ip.DropoutRegularizer,
    "sparse": ip.SparseRegularizer, "sparsity l1": ip.Sparsity,
    "acai + denoising + dropout": lambda e, d: (
        ip.ACAIRegularizer(e, d) + ip.DenoisingRegularizer(e, d) + ip.DropoutRegularizer(e, d)
    ),
    "wae": ip.WAERegularizer,
    "wae sinkhorn": lambda e, d: ip.WAERegularizer(e, d, divergence="sinkhorn"),
    "cycle": ip.CycleConsistency, "smoothness": ip.AlphaSmoothness, "aeai": ip.AEAIRegularizer,
    "aeai grid": lambda e, d: ip.AEAIRegularizer(e, d, grid=3, reconstruction="l1"),
    "latent critic": lambda e, d: ip.LatentCritic(e, d, code_shape=shape(e), loss="hinge", prior="sphere"),
    "aae": lambda e, d: ip.AAERegularizer(e, d, code_shape=shape(e)),
    "gaia": ip.GAIARegularizer,
    "gaia as published": lambda e, d: ip.GAIARegularizer(e, d, preset="published"),
    "autoencoding critic": lambda e, d: ip.AutoencodingCritic(e, d, interpolator=ip.Interpolator()),
    "distances": ip.PairwiseDistance,
    "amr": lambda e, d: ip.AMRRegularizer(e, d, cycle_weight=0.1),
    "amr bernoulli": lambda e, d: ip.AMRRegularizer(e, d, kind="bernoulli"),
    "spectral": lambda e, d: ip.ACAIRegularizer(e, d, critic=ip.spectral_norm(ip.fresh_copy(e))),
}  # fmt: skip


def traceable(reg: ip.Regularizer) -> ip.Regularizer:
    """Skips the one regularizer that says it waits for the device."""
    if any(isinstance(module, ip.SinkhornPrior) for module in reg.modules()):
        pytest.skip("geomloss reads values on the host")
    return reg
