"""One term, or one game, a file. Each is usable alone and in sums."""

from interpreg.regularizers.adversary import Adversary
from interpreg.regularizers.base import Players, Regularizer, Sum
from interpreg.regularizers.critic import Critic
from interpreg.regularizers.dual_critic import DualCritic
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.mmd_prior import MMDPrior
from interpreg.regularizers.reconstruction import Reconstruction
from interpreg.regularizers.sinkhorn_prior import SinkhornPrior

__all__ = [
    "Adversary",
    "Critic",
    "DualCritic",
    "MMDPrior",
    "Players",
    "Reconstruction",
    "Regularizer",
    "SinkhornPrior",
    "Sum",
    "fresh_copy",
]
