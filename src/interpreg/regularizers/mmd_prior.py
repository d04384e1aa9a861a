"""The MMD between the codes and a prior, as a term."""

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg._references import Reference
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional import mmd as functional
from interpreg.functional.means import has_positions
from interpreg.kernels import Kernel, as_kernel
from interpreg.mmd import distributed
from interpreg.mmd.closed_form import use_closed_form
from interpreg.mmd.dispatch import BACKENDS
from interpreg.mmd.estimators import SWEPT
from interpreg.needs import AtLeast, Need
from interpreg.priors import as_prior, check_generator
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike

SYNCS = ("global", "local")


class MMDPrior(SingleTerm):
    r"""Term ``mmd``: :math:`\mathrm{MMD}^2` between the codes, flattened, and a prior (MIDR-AE, eq. 5; WAE; InfoVAE).

    .. math:: E\,k(z, z') - 2 E\,k(z, h) + E\,k(h, h'), \qquad h, h' \sim p

    by :func:`interpreg.functional.mmd2_to_prior`, for a normal prior in closed form, without samples of it. Unbiased
    estimates are negative half of the time where the codes agree with the prior; their mean over steps is the loss.
    MIDR-AE as published is ``kernel=RBF.midrae(), closed_form=False, clamp=True, weight=1.0`` (its code's default
    weight is 0.1).

    Under torch.distributed, ``sync="global"`` is the MMD of the global batch, of which each process computes a share:
    all get its value and, with DistributedDataParallel around the networks, exactly its gradient. A mean of MMDs of
    small local batches is a different loss. Lengths of batches may differ; their exchange synchronises with the device
    once a step.

    Of sequences with a padding mask each valid position's code is a sample; where they are too few, it is 0. Terms of a
    sum that sample the same prior share one draw of it.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        prior: "normal", "ball", "sphere", a prior from :mod:`interpreg.priors`, a ``torch.distributions`` object, or a
            callable of the number of samples.
        kernel: from :mod:`interpreg.kernels`; WAE's inverse multiquadric when not given. Where its widths depend on the
            dimension, that is the number of elements of a flattened code.
        estimator: "unbiased", "biased", "linear" or "sliced", as for :func:`interpreg.functional.mmd2`.
        closed_form: "auto" (wherever there is one), True (or an error), False (never).
        sync: "global" or "local": across processes, or each alone.
        weight: at least 0.
        samples: the number of samples of the prior; as many as codes when not given.
        clamp: replace negative estimates by 0, which removes their gradient.
        slices: of the sliced estimator; 256 when not given.
        backend: as for :func:`interpreg.functional.mmd2`.
        generator: draws the prior's samples.
        group: the processes that share a batch; the default group.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range, or without effect beside the others; no
            closed form where one is demanded; fewer than two codes where the estimate is unbiased; a linear or sliced
            estimate over several processes.
    """

    name = "mmd"
    prior = Reference()
    kernel = Reference()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        prior: object = "normal",
        kernel: Kernel | None = None,
        estimator: str = "unbiased",
        closed_form: bool | str = "auto",
        sync: str = "global",
        weight: WeightLike = 1.0,
        samples: int | None = None,
        clamp: bool = False,
        slices: int | None = None,
        backend: str = "auto",
        generator: torch.Generator | None = None,
        group: distributed.Group = None,
    ) -> None:
        super().__init__(encoder, decoder, weight=weight)
        self.prior, self.kernel = as_prior(prior), as_kernel(kernel)
        _checks.check_one_of("estimator", estimator, functional.ESTIMATORS)
        _checks.check_one_of("sync", sync, SYNCS)
        _checks.check_one_of("backend", backend, BACKENDS)
        self.samples = None if samples is None else _checks.as_count("samples", samples, low=2)
        self.generator = _checks.as_generator(generator)
        if use_closed_form(closed_form, self.prior, self.kernel, estimator):
            beside = "a closed form (closed_form=False draws samples)"
            _checks.check_unused("samples", samples, beside)
            _checks.check_unused("generator", generator, beside)
        if estimator != "sliced":
            _checks.check_unused("slices", slices, f"estimator={estimator!r}")
            check_generator(self.prior, generator)
        if estimator not in SWEPT and backend != "auto":
            raise ValueError(
                f"backend: expected 'auto' with estimator={estimator!r}, which has one, got {backend!r}"
            )
        if sync == "local":
            _checks.check_unused("group", group, "sync='local'")
        self.estimator, self.closed_form, self.sync = estimator, closed_form, sync
        self.clamp = _checks.as_flag("clamp", clamp)
        self.slices = 256 if slices is None else _checks.as_count("slices", slices, low=1)
        self.backend, self.group = backend, group

    @override
    def needs(self) -> Sequence[Need]:
        if self.estimator == "biased" or self._is_shared():
            return []
        return [AtLeast(2, f"for the {self.estimator} MMD")]

    @override
    def value(self, batch: Batch) -> Tensor:
        codes, weights = _samples(batch)
        samples: int | Tensor | None = self.samples
        is_closed = use_closed_form(self.closed_form, self.prior, self.kernel, self.estimator)
        if samples is None and weights is None and not is_closed:
            # terms of the same prior share one draw
            samples = batch.prior_samples(self.prior, self.generator)
        enough = None
        if weights is not None:  # fewer valid positions have no estimate, which would be NaN
            enough = weights.sum() > (0 if self.estimator == "biased" else 1)
            weights = torch.where(enough, weights, torch.ones_like(weights))
        value = functional.mmd2_to_prior(
            codes, prior=self.prior, kernel=self.kernel, estimator=self.estimator, closed_form=is_closed,
            samples=samples, weights=weights, clamp=self.clamp, backend=self.backend, slices=self.slices,
            generator=self.generator,
            group=(self.group or torch.distributed.group.WORLD) if self._is_shared() else None,
        )  # fmt: skip
        return value if enough is None else torch.where(enough, value, torch.zeros_like(value))

    def _is_shared(self) -> bool:
        return self.sync == "global" and distributed.world_size(self.group) > 1


def _samples(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """The codes as samples ``[n, d]``; of padded sequences each position, of weight 1 where valid and else 0."""
    if batch.mask is None or not has_positions(batch.z, batch.mask):
        return batch.z.reshape(batch.z.shape[0], -1), None
    return batch.z.flatten(0, 1).flatten(1), batch.mask.flatten().to(wide_dtype(batch.z))
