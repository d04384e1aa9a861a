"""One term, or one game, a file. Each is usable alone and in sums."""

from interpreg.regularizers.base import Players, Regularizer, Sum
from interpreg.regularizers.critic import Critic
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.mmd_prior import MMDPrior
from interpreg.regularizers.reconstruction import Reconstruction
from interpreg.regularizers.sinkhorn_prior import SinkhornPrior

__all__ = [
    "Critic",
    "MMDPrior",
    "Players",
    "Reconstruction",
    "Regularizer",
    "SinkhornPrior",
    "Sum",
    "fresh_copy",
]
