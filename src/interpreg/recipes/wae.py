"""Wasserstein autoencoders."""

from functools import partial
from typing import Literal

import torch

from interpreg import _checks
from interpreg._types import Network
from interpreg.functional.reconstruction import ReconstructionLoss
from interpreg.kernels import Kernel
from interpreg.recipes.common import reconstructed
from interpreg.regularizers import MMDPrior, SinkhornPrior, Sum
from interpreg.regularizers.weights import WeightLike

DIVERGENCES = ("mmd", "sinkhorn")


class WAERegularizer(Sum):
    r"""Wasserstein autoencoder (WAE-MMD; Tolstikhin, Bousquet, Gelly, Schoelkopf 2018).

    .. math:: L_{f,g} = \overline{\ell(g(f(x)), x)} + \lambda \, D(f(x), p) \quad \text{(eq. 4)}

    with D the squared MMD between the codes and samples of the prior (algorithm 2, the unbiased estimate), by default
    with their kernel, the sum of seven inverse multiquadrics whose widths go with the dimension, and for the normal
    prior in closed form instead of by samples; or with ``divergence="sinkhorn"`` the Sinkhorn divergence (Patrini et
    al. 2019).

    The paper's lambda weighs D against a squared error *summed* over pixels: it is ours times N, the number of elements
    of a sample. Its 10 for MNIST (N = 784) is 0.013 here, its 100 for CelebA (N = 12288) 0.008; the default is 0.01.

    Losses: ``reconstruction``; ``mmd`` or ``sinkhorn``. A sum of :class:`Reconstruction` and :class:`MMDPrior` or
    :class:`SinkhornPrior`. Calls of the networks a batch: encoder 1, decoder 1.

    Args:
        encoder, decoder: the pair.
        divergence: "mmd" or "sinkhorn".
        prior: as for :class:`MMDPrior`.
        weight: lambda, against a mean over elements; at least 0.
        kernel: of "mmd", from :mod:`interpreg.kernels`.
        samples: the number of samples of the prior; as many as codes when not given, none in closed form.
        reconstruction: "mse", "l1", "bernoulli", a callable, or None where the loop has its own.
        generator: draws the prior's samples.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; a kernel beside "sinkhorn".
    """

    name = "wae"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        divergence: Literal["mmd", "sinkhorn"] = "mmd",
        prior: object = "normal",
        weight: WeightLike = 0.01,
        kernel: Kernel | None = None,
        samples: int | None = None,
        reconstruction: str | ReconstructionLoss | None = "mse",
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.check_one_of("divergence", divergence, DIVERGENCES)
        if divergence == "sinkhorn" and kernel is not None:
            raise ValueError(
                f"kernel: expected None beside divergence='sinkhorn', which has none, got {_checks.describe(kernel)}"
            )
        kind = SinkhornPrior if divergence == "sinkhorn" else partial(MMDPrior, kernel=kernel)
        term = kind(encoder, decoder, prior=prior, weight=weight, samples=samples, generator=generator)
        super().__init__([*reconstructed(encoder, decoder, reconstruction), term])
