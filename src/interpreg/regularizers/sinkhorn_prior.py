"""The Sinkhorn divergence between the codes and a prior."""

from typing import Any

import torch
from geomloss import SamplesLoss
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._numerics import full_precision, widen
from interpreg._references import Reference
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional.means import has_positions
from interpreg.priors import as_prior, check_generator
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike


class SinkhornPrior(SingleTerm):
    r"""Term ``sinkhorn``: the debiased Sinkhorn divergence between the codes, flattened, and samples of a prior.

    :math:`S_\varepsilon = OT_\varepsilon(x, z) - \frac12 OT_\varepsilon(x, x) - \frac12 OT_\varepsilon(z, z)` with the
    cost :math:`|x - z|^p / p`, :math:`OT_\varepsilon` the entropic cost of transport and :math:`\varepsilon =
    \mathrm{blur}^p` (Feydy et al. 2019), by geomloss. Each process compares its own codes; memory is n x m. Of
    sequences with a padding mask each valid position's code is a sample. A second or forward-mode derivative is
    refused.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        prior: as for :class:`MMDPrior`.
        blur: the length below which differences do not count; a twentieth of the usual distance
            :math:`\sqrt{E |z - z'|^2}` of the prior's samples when not given.
        p: 1 or 2.
        scaling: in (0, 1), the rate at which the temperature is lowered: nearer 1 is slower and more exact, the
            gradient above all, which is that of the converged problem.
        samples: the number of samples of the prior, at least 2; as many as codes when not given.
        weight: at least 0.
        generator: draws the prior's samples.

    Raises:
        TypeError, ValueError: an argument of the wrong type or range.
        RuntimeError: in the backward, with ``create_graph=True``.
    """

    name = "sinkhorn"
    prior = Reference()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        prior: object = "normal",
        blur: float | None = None,
        p: int = 2,
        scaling: float = 0.5,
        samples: int | None = None,
        weight: WeightLike = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(encoder, decoder, weight=weight)
        self.prior = as_prior(prior)
        self.blur = None if blur is None else _checks.as_number("blur", blur, low=1e-12)
        if p not in (1, 2):
            raise ValueError(f"p: expected 1 or 2, got {_checks.describe(p)}")
        self.scaling = _checks.as_number("scaling", scaling, low=1e-3, high=0.999)
        self.samples = None if samples is None else _checks.as_count("samples", samples, low=2)
        self.p, self.generator = p, _checks.as_generator(generator)
        check_generator(self.prior, generator)

    @override
    def value(self, batch: Batch) -> Tensor:
        codes = _samples(batch)
        with full_precision(codes):
            (x,) = widen(codes)
            if not len(x):
                return 0 * x.sum()
            y = self.prior.sample(self.samples or len(x), x.detach(), self.generator)
            blur = self._default_blur(y) if self.blur is None else self.blur
            loss = SamplesLoss("sinkhorn", p=self.p, blur=blur, scaling=self.scaling, backend="tensorized")
            return _Once.apply(x, y, loss)  # type: ignore[no-any-return, no-untyped-call]

    def _default_blur(self, samples: Tensor) -> float:
        spread: float | None = self.prior.spread(samples.shape[1])
        if spread is None:  # unknown for a sampler of the user's, so measured
            spread = float(samples.var(0, correction=0).sum().sqrt()) or 1.0
        return 0.05 * 2**0.5 * spread


def _samples(batch: Batch) -> Tensor:
    """The codes as samples ``[n, d]``; of padded sequences those of valid positions."""
    z, mask = batch.z, batch.mask
    if mask is None or not has_positions(z, mask):
        return z.reshape(len(z), -1)
    return z[mask].flatten(1)


class _Once(torch.autograd.Function):
    """A loss with a gradient and no second derivative, because geomloss's second derivative is silently wrong."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, loss: SamplesLoss) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            leaf, y = x.detach().clone().requires_grad_(), y.clone()  # of inference mode there are no gradients
            value = loss(leaf, y)
            (slope,) = torch.autograd.grad(value, leaf)
        ctx.save_for_backward(slope)
        return value.detach()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "SinkhornPrior: expected a gradient that is not differentiated again (create_graph=False), because the "
                "second derivative of geomloss's divergence is wrong; use MMDPrior, whose is right"
            )
        return grad * ctx.saved_tensors[0], None, None
