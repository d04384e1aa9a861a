"""Variational and vector-quantized autoencoders."""

from interpreg import _checks
from interpreg._types import Network, Preset
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.recipes.common import reconstructed
from interpreg.regularizers import Commitment, KLPrior, Sum
from interpreg.regularizers.weights import WeightLike

AS_PRESET = "auto"


class VAERegularizer(Sum):
    r"""Variational autoencoder (Kingma and Welling 2014; with beta, Higgins et al. 2017), per element of x.

    .. math::
        L_{f,g} = \overline{\ell(g(z), x)} + \frac{\beta}{N} \; \overline{\mathrm{KL}\left(\mathcal N(\mu(x),
        \sigma^2(x)) \,\|\, \mathcal N(0, I)\right)}, \qquad z = \mu(x) + \sigma(x) \odot \epsilon

    the negative of eq. 10 there, divided by N, the number of elements of one sample; the KL is summed over the code,
    and bars are means over the batch and, of the first, over elements. With :math:`\ell` = "mse" the decoder is
    Gaussian with variance 1/2, with "bernoulli" it returns logits of pixels :math:`(x + 1) / 2`.

    Losses: ``reconstruction``, ``kl``. A sum of :class:`Reconstruction` and :class:`KLPrior`. Calls of the networks a
    batch: encoder 1, decoder 1.

    ``preset="published"`` is the VAE of ACAI's comparison as published: ``reconstruction="bernoulli"``, where the
    images of the decoder are :math:`2\,\mathrm{sigmoid}(g(z)) - 1` (which the loop applies before it measures or draws
    them). Its losses are sums over pixels and over the code, N times these; a factor cancels in Adam. The published
    encoder is ``GaussianBottleneck.dense(network, code_shape, sample="always")``, whose interpolations are between
    samples.

    Args:
        encoder, decoder: the pair; the encoder with one :class:`interpreg.GaussianBottleneck` in it.
        weight: beta, of the KL term.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own; "auto" is "mse", and
            the preset's with one.
        preset: None or "published".

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range, or an encoder without that bottleneck.

    >>> import torch
    >>> from interpreg import GaussianBottleneck
    >>> reg = VAERegularizer(GaussianBottleneck(torch.nn.Linear(8, 4)), torch.nn.Linear(2, 8))
    >>> list(reg(torch.randn(4, 8)))
    ['reconstruction', 'kl']
    """

    name = "vae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        weight: WeightLike = 1.0,
        reconstruction: str | ReconstructionLoss | None = AS_PRESET,
        preset: Preset = None,
    ) -> None:
        published = _checks.is_published(preset)
        if reconstruction == AS_PRESET:
            reconstruction = "bernoulli" if published else "mse"
        elif reconstruction is not None:
            _checks.check_unused("preset", preset, "a reconstruction loss, the only thing that it sets")
        super().__init__(
            [*reconstructed(encoder, decoder, reconstruction), KLPrior(encoder, decoder, weight=weight)]
        )


class VQVAERegularizer(Sum):
    r"""Vector-quantized autoencoder (VQ-VAE; van den Oord, Vinyals, Kavukcuoglu 2017).

    .. math:: L_{f,g} = \overline{\ell(g(z_q), x)} + \beta \; \overline{(z - \mathrm{sg}(e))^2}
        \quad \text{(eq. 3, without its second term)}

    with e the nearest codebook vectors and the gradient of :math:`z_q` passed straight through to z. The codebook is a
    moving average (appendix A.1 there), which replaces the second term. Bars are means over the batch and over
    elements, where the equation writes norms.

    Losses: ``reconstruction``, ``commitment``. A sum of :class:`Reconstruction` and :class:`Commitment`. Calls of the
    networks a batch: encoder 1, decoder 1.

    ``preset="published"`` is the weight in ACAI's published comparison, beta = 10. Its networks are not included: a
    dense layer maps the flattened code to 10 latents, each with as many numbers as the whole code, one codebook of
    K = 16384 (``decay=0.999``) quantizes all of them, and dense layers (ReLU, 512, ReLU) lead back to the decoder;
    interpolation is between the codes before these layers (``codes="continuous"``).

    Args:
        encoder, decoder: the pair; the encoder with one :class:`interpreg.VectorQuantizer` in it, and the decoder
            behind its ``before`` where interpolants are to be quantized.
        weight: beta, of the commitment. When not given 0.25 (the paper), or as the preset.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        preset: None or "published".

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range, or an encoder without that quantizer.
    """

    name = "vqvae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        weight: WeightLike | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        preset: Preset = None,
    ) -> None:
        published = _checks.is_published(preset)
        if weight is not None:
            _checks.check_unused("preset", preset, "a weight, the only thing that it sets")
        else:
            weight = 10.0 if published else 0.25
        super().__init__(
            [*reconstructed(encoder, decoder, reconstruction), Commitment(encoder, decoder, weight=weight)]
        )
