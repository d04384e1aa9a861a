"""Sparse codes."""

from typing import Literal

from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network
from interpreg.batch import Batch
from interpreg.functional.means import mean
from interpreg.functional.sparsity import as_target, sparsity_kl
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.weights import WeightLike

PENALTIES = ("l1", "kl")


class Sparsity(SingleTerm):
    r"""Term ``sparsity``: a penalty on codes that are not sparse.

    "l1" is :math:`\overline{|z|}`, the mean over the batch and over elements; "kl" is
    :func:`interpreg.functional.sparsity_kl`, the divergence of each unit's mean activation over the batch from a small
    target, averaged over units (Ng 2011). Under DistributedDataParallel "kl" is that of each process's own batch. With
    a padding mask both are over valid positions.

    Args:
        encoder, decoder: the pair; the decoder is not called.
        penalty: "l1" or "kl".
        target: of "kl", the mean activation aimed at, in (0, 1); 0.05 when not given.
        weight: at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range.
    """

    name = "sparsity"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        penalty: Literal["l1", "kl"] = "l1",
        target: float | None = None,
        weight: WeightLike = 1.0,
    ) -> None:
        _checks.check_one_of("penalty", penalty, PENALTIES)
        mean_activation = as_target(0.05 if target is None else target)
        if penalty == "l1":
            _checks.check_unused("target", target, "penalty='l1'")
        super().__init__(encoder, decoder, weight=weight)
        self.penalty, self.target = penalty, mean_activation

    @override
    def value(self, batch: Batch) -> Tensor:
        if self.penalty == "l1":
            return mean(batch.z.abs(), batch.mask)
        return sparsity_kl(batch.z, self.target, batch.mask)
