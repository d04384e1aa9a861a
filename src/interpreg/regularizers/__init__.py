"""One term, or one game, a file. Each is usable alone and in sums."""

from interpreg.regularizers.adversary import Adversary, spectral_norm
from interpreg.regularizers.autoencoding_critic import AutoencodingCritic
from interpreg.regularizers.base import Players, Regularizer
from interpreg.regularizers.commitment import Commitment
from interpreg.regularizers.critic import Critic
from interpreg.regularizers.cycle import CycleConsistency
from interpreg.regularizers.denoising import CodeDropout, Denoising
from interpreg.regularizers.dual_critic import DualCritic
from interpreg.regularizers.fresh_copy import fresh_copy
from interpreg.regularizers.kl_prior import KLPrior
from interpreg.regularizers.latent_critic import LatentCritic
from interpreg.regularizers.latent_network import latent_network
from interpreg.regularizers.mmd_prior import MMDPrior
from interpreg.regularizers.pairwise_distance import PairwiseDistance
from interpreg.regularizers.reconstruction import Reconstruction
from interpreg.regularizers.sinkhorn_prior import SinkhornPrior
from interpreg.regularizers.smoothness import AlphaSmoothness
from interpreg.regularizers.sparsity import Sparsity
from interpreg.regularizers.sum import Sum
from interpreg.regularizers.weights import Adaptive, Ramp, Weight

__all__ = [
    "Adaptive",
    "Adversary",
    "AlphaSmoothness",
    "AutoencodingCritic",
    "CodeDropout",
    "Commitment",
    "Critic",
    "CycleConsistency",
    "Denoising",
    "DualCritic",
    "KLPrior",
    "LatentCritic",
    "MMDPrior",
    "PairwiseDistance",
    "Players",
    "Ramp",
    "Reconstruction",
    "Regularizer",
    "SinkhornPrior",
    "Sparsity",
    "Sum",
    "Weight",
    "fresh_copy",
    "latent_network",
    "spectral_norm",
]
