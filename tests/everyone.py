"""All regularizers, and combinations of them, for the tests of what each of them keeps to."""

from collections.abc import Callable

import pytest
from torch import nn
from wrapped import quantized, variational

from interpreg import (
    AAERegularizer,
    ACAIRegularizer,
    AEAIRegularizer,
    AlphaSmoothness,
    AMRRegularizer,
    AutoencodingCritic,
    Critic,
    CycleConsistency,
    DenoisingRegularizer,
    DropoutRegularizer,
    DualCritic,
    GAIARegularizer,
    Interpolator,
    KLPrior,
    LatentCritic,
    LRAERegularizer,
    MIAERegularizer,
    MIDRAERegularizer,
    MMDPrior,
    PairwiseDistance,
    Ramp,
    Reconstruction,
    Regularizer,
    SinkhornPrior,
    SparseRegularizer,
    Sparsity,
    VAERegularizer,
    VectorQuantizer,
    VQVAERegularizer,
    WAERegularizer,
    fresh_copy,
    spectral_norm,
)
from interpreg.kernels import RBF, Energy


def _with_critic(encoder: nn.Module, decoder: nn.Module) -> Regularizer:
    """A critic on a variational autoencoder."""
    return ACAIRegularizer(encoder, decoder) + KLPrior(encoder, decoder, weight=0.1)


def _quantized_inside(encoder: VectorQuantizer, decoder: nn.Module) -> Regularizer:
    """A critic of what is mixed before it is quantized."""
    decoder = encoder.before(decoder)
    return VQVAERegularizer(encoder, decoder) + ACAIRegularizer(encoder, decoder, reconstruction=None)


def shape(encoder: nn.Module) -> tuple[int, ...]:
    """Of a code of one of the zoo's encoders, which a latent critic may be told."""
    return encoder.code_shape


REGULARIZERS: dict[str, Callable[[nn.Module, nn.Module], Regularizer]] = {
    "reconstruction": Reconstruction,
    "critic": Critic,
    "acai": ACAIRegularizer,
    "sum": lambda e, d: Reconstruction(e, d) + Critic(e, d) + Critic(e, d, loss="hinge"),
    "multidimensional code-shaped": lambda e, d: Critic(
        e, d, judge="code", interpolator=Interpolator(kind="multidimensional")
    ),
    "bernoulli bce": lambda e, d: Critic(e, d, loss="bce", interpolator=Interpolator(kind="bernoulli")),
    "convex": lambda e, d: Critic(e, d, interpolator=Interpolator(kind="convex", ways=3)),
    "spherical": lambda e, d: Critic(e, d, interpolator=Interpolator(kind="spherical")),
    "scheduled": lambda e, d: ACAIRegularizer(
        e, d, critic_weight=Ramp(1.0, start=1), weight=Ramp(0.5, start=2, over=3)
    ),
    "mmd": MMDPrior,
    "mmd sampled": lambda e, d: MMDPrior(e, d, prior="sphere", kernel=Energy(), closed_form=False),
    "mmd median": lambda e, d: MMDPrior(e, d, kernel=RBF("median"), estimator="biased"),
    "sinkhorn": SinkhornPrior,
    "acai + mmd": lambda e, d: ACAIRegularizer(e, d) + MMDPrior(e, d, kernel=RBF.midrae()) + MMDPrior(e, d),
    "dual critic": lambda e, d: DualCritic(e, d, judge="mean"),
    "miae": lambda e, d: MIAERegularizer(e, d, preset="published"),
    "lrae": LRAERegularizer,
    "midrae": MIDRAERegularizer,
    "midrae as published": lambda e, d: MIDRAERegularizer(e, d, preset="published"),
    "vae": lambda e, d: VAERegularizer(variational(e), d),
    "vae as published": lambda e, d: VAERegularizer(variational(e, sample="always"), d, preset="published"),
    "vqvae": lambda e, d: VQVAERegularizer(quantized(e), d),
    "vqvae interpolated before quantizing": lambda e, d: _quantized_inside(quantized(e, codes="continuous"), d),
    "acai on a vae": lambda e, d: _with_critic(variational(e), d),
    "denoising": DenoisingRegularizer,
    "dropout": DropoutRegularizer,
    "sparse": SparseRegularizer,
    "sparsity l1": Sparsity,
    "acai + denoising + dropout": lambda e, d: (
        ACAIRegularizer(e, d) + DenoisingRegularizer(e, d) + DropoutRegularizer(e, d)
    ),
    "wae": WAERegularizer,
    "wae sinkhorn": lambda e, d: WAERegularizer(e, d, divergence="sinkhorn"),
    "cycle": CycleConsistency,
    "smoothness": AlphaSmoothness,
    "aeai": AEAIRegularizer,
    "aeai grid": lambda e, d: AEAIRegularizer(e, d, grid=3, reconstruction="l1"),
    "latent critic": lambda e, d: LatentCritic(e, d, code_shape=shape(e), loss="hinge", prior="sphere"),
    "aae": lambda e, d: AAERegularizer(e, d, code_shape=shape(e)),
    "gaia": GAIARegularizer,
    "gaia as published": lambda e, d: GAIARegularizer(e, d, preset="published"),
    "autoencoding critic": lambda e, d: AutoencodingCritic(e, d, interpolator=Interpolator()),
    "distances": PairwiseDistance,
    "amr": lambda e, d: AMRRegularizer(e, d, cycle_weight=0.1),
    "amr bernoulli": lambda e, d: AMRRegularizer(e, d, kind="bernoulli"),
    "spectral": lambda e, d: ACAIRegularizer(e, d, critic=spectral_norm(fresh_copy(e))),
}


def traceable(reg: Regularizer) -> Regularizer:
    """Skips the one regularizer that says it waits for the device."""
    if any(isinstance(module, SinkhornPrior) for module in reg.modules()):
        pytest.skip("geomloss reads values on the host")
    return reg
