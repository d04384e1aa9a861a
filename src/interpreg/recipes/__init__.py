"""Regularizers named after papers, each a sum of terms."""

from interpreg.recipes.aae import AAERegularizer
from interpreg.recipes.acai import ACAIRegularizer
from interpreg.recipes.aeai import AEAIRegularizer
from interpreg.recipes.amr import AMRRegularizer
from interpreg.recipes.baselines import DenoisingRegularizer, DropoutRegularizer, SparseRegularizer
from interpreg.recipes.gaia import GAIARegularizer
from interpreg.recipes.midrae import MIDRAE_WEIGHTS, LRAERegularizer, MIAERegularizer, MIDRAERegularizer
from interpreg.recipes.variational import VAERegularizer, VQVAERegularizer
from interpreg.recipes.wae import WAERegularizer

__all__ = [
    "MIDRAE_WEIGHTS",
    "AAERegularizer",
    "ACAIRegularizer",
    "AEAIRegularizer",
    "AMRRegularizer",
    "DenoisingRegularizer",
    "DropoutRegularizer",
    "GAIARegularizer",
    "LRAERegularizer",
    "MIAERegularizer",
    "MIDRAERegularizer",
    "SparseRegularizer",
    "VAERegularizer",
    "VQVAERegularizer",
    "WAERegularizer",
]
