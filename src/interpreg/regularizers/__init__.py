"""One term, or one game, a file. Each is usable alone and in sums."""

from interpreg.regularizers.base import Players, Regularizer, Sum
from interpreg.regularizers.critic import Critic
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.reconstruction import Reconstruction

__all__ = ["Critic", "Players", "Reconstruction", "Regularizer", "Sum", "fresh_copy"]
