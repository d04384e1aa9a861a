"""Bandwidths by the median rule."""

import torch
from torch import Tensor

from interpreg.mmd.reference import squared_distances

MEDIAN_SAMPLES = 512  # of each set


@torch.no_grad()
def median_unit(x: Tensor, y: Tensor) -> Tensor:
    """sqrt(m / 2), with m the median squared distance of at most 512 samples of each set; 1 if that is 0.

    0-dim, on the samples' device, without a gradient: dividing the samples by it makes the bandwidths plain numbers.
    """
    joint = torch.cat([evenly_spaced(x.detach(), MEDIAN_SAMPLES), evenly_spaced(y.detach(), MEDIAN_SAMPLES)])
    i, j = torch.triu_indices(len(joint), len(joint), 1, device=x.device)
    median = squared_distances(joint, joint)[i, j].median()
    return torch.where(median == 0, 1.0, (median / 2).sqrt())


def evenly_spaced(x: Tensor, count: int) -> Tensor:
    """At most ``count`` rows of ``x``, evenly spaced."""
    return x[:: -(-len(x) // count)]
