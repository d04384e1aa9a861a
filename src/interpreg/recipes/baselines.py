"""Denoising, dropout and sparse autoencoders: the other baselines of ACAI's and MIDR-AE's comparisons."""

from typing import Literal

import torch

from interpreg._types import Network
from interpreg.bottlenecks.noise import Corrupt
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.recipes.common import reconstructed
from interpreg.regularizers import CodeDropout, Denoising, Sparsity, Sum
from interpreg.regularizers.weights import WeightLike


class DenoisingRegularizer(Sum):
    r"""Denoising autoencoder (Vincent et al. 2008), as in ACAI's comparison.

    .. math:: L_{f,g} = \overline{\ell(g(f(x + \epsilon)), x)}, \qquad \epsilon \sim \mathcal N(0, \mathrm{std}^2 I)

    Loss: ``denoising``, the term :class:`Denoising`. Calls of the networks a batch: encoder 1, decoder 1. In eval mode
    nothing is corrupted. There is no preset: paper and published code agree.

    Args:
        encoder, decoder: the pair; the encoder plain.
        std: at least 0; 1.0 when not given, on pixels in [-1, 1], not clipped.
        corrupt: instead of the noise, a callable of x that returns a corrupted x of the same shape.
        reconstruction: the loss, "mse", "l1", "bernoulli" or a callable. Not None: there is no other term.
        generator: draws the noise.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "denoising"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        std: float | None = None,
        corrupt: Corrupt | None = None,
        reconstruction: str | ReconstructionLoss = "mse",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            [Denoising(encoder, decoder, std=std, corrupt=corrupt, loss=reconstruction, generator=generator)]
        )


class DropoutRegularizer(Sum):
    r"""Dropout autoencoder: dropout of the code's elements (Srivastava et al. 2014), as in ACAI's published code.

    .. math:: L_{f,g} = \overline{\ell(g(m \odot f(x) / (1 - p)), x)}, \qquad m_j \sim \mathrm{Bernoulli}(1 - p)

    Loss: ``dropout``, the term :class:`CodeDropout`. Calls of the networks a batch: encoder 1, decoder 1. In eval mode
    nothing is dropped. There is no preset: the paper does not describe the method, and the defaults are the published
    code's (for CIFAR-10 the published table is of p = 0.25).

    Args:
        encoder, decoder: the pair; the encoder plain.
        p: in [0, 1), the probability that an element is dropped.
        reconstruction: the loss, "mse", "l1", "bernoulli" or a callable. Not None: there is no other term.
        generator: draws the dropped elements.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "dropout"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        p: float = 0.5,
        reconstruction: str | ReconstructionLoss = "mse",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__([CodeDropout(encoder, decoder, p=p, loss=reconstruction, generator=generator)])


class SparseRegularizer(Sum):
    r"""Sparse autoencoder (Ng 2011; Xu et al. 2016, a baseline of MIDR-AE).

    .. math:: L_{f,g} = \overline{\ell(g(f(x)), x)} + \lambda \, S(f(x))

    with S the mean divergence of the units' mean activations from ``target`` ("kl"), or the mean absolute value of the
    code ("l1"); see :class:`Sparsity`.

    Losses: ``reconstruction``, ``sparsity``. Calls of the networks a batch: encoder 1, decoder 1.

    Args:
        encoder, decoder: the pair.
        penalty: "kl" or "l1".
        target: of "kl", in (0, 1); 0.05 when not given.
        weight: lambda; at least 0. The papers' weights do not carry over: their losses are sums, these are means.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "sparse"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        penalty: Literal["l1", "kl"] = "kl",
        target: float | None = None,
        weight: WeightLike = 0.1,
        reconstruction: str | ReconstructionLoss | None = "mse",
    ) -> None:
        parts = reconstructed(encoder, decoder, reconstruction)
        super().__init__([*parts, Sparsity(encoder, decoder, penalty=penalty, target=target, weight=weight)])
