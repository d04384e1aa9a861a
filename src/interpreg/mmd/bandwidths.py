"""Bandwidths by the median rule."""

import torch
from torch import Tensor

from interpreg.mmd.reference import squared_distances

MEDIAN_SAMPLES = 512  # of each set


@torch.no_grad()
def median_unit(x: Tensor, y: Tensor, u: Tensor | None = None, v: Tensor | None = None) -> Tensor:
    """sqrt(m / 2), with m the median squared distance of at most 512 samples of each set; 1 if that is 0.

    0-dim, on the samples' device, without a gradient: dividing the samples by it makes the bandwidths plain numbers.
    Samples of weight 0 in ``u`` ``[n]`` and ``v`` ``[m]`` do not count.
    """
    joint = torch.cat([evenly_spaced(x.detach(), MEDIAN_SAMPLES), evenly_spaced(y.detach(), MEDIAN_SAMPLES)])
    distances = squared_distances(joint, joint)
    if u is None and v is None and not torch.compiler.is_compiling():
        i, j = torch.triu_indices(len(joint), len(joint), 1, device=x.device)
        median = distances[i, j].median()
    else:  # compiled code would have a graph of those indices for each size; each pair twice has the same median
        counts = torch.cat([_counts(u, x), _counts(v, y)])
        pairs = counts[:, None] & counts & ~torch.eye(len(joint), dtype=torch.bool, device=x.device)
        median = torch.where(pairs, distances, torch.full_like(distances, torch.nan)).nanmedian()
    return torch.where((median == 0) | median.isnan(), 1.0, (median / 2).sqrt())


def _counts(weights: Tensor | None, samples: Tensor) -> Tensor:
    """Which of the samples that are looked at have a weight."""
    weights = samples.new_ones(len(samples)) if weights is None else weights.detach()
    return evenly_spaced(weights, MEDIAN_SAMPLES) > 0


def evenly_spaced(x: Tensor, count: int) -> Tensor:
    """At most ``count`` rows of ``x``, evenly spaced."""
    return x[:: -(-len(x) // count)]
