"""Measures in the space of the caller's features: perceptual path length and Fréchet distance."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg import _progress as bars
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.functional.mixing import PATH_KINDS, mix, slerp
from interpreg.metrics import _codes
from interpreg.metrics._evaluation import evaluating, output_of

SAMPLINGS = ("full", "ends")


@dataclass(frozen=True)
class PathLength:
    """The perceptual path length, and the numbers of distances in it.

    Attributes:
        mean, std: of the distances that count, std without bias; NaN where there are too few.
        n: number of distances that count.
        undefined: number of distances left out because their path starts where it ends.
        trimmed: number of distances left out by ``trim``.
    """

    mean: float
    std: float
    n: int
    undefined: int
    trimmed: int


@torch.no_grad()
def perceptual_path_length(
    decoder: Network,
    start: Tensor,
    end: Tensor,
    *,
    features: Network | None = None,
    epsilon: float = 1e-4,
    sampling: Literal["full", "ends"] = "full",
    kind: Literal["linear", "spherical"] = "linear",
    draws: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int = 64,
    trim: tuple[float, float] | None = None,
    progress: bool = True,
) -> PathLength:
    r"""How far features move along paths between codes, a step at a time (StyleGAN, arXiv 1812.04948, section 4.1).

    .. math:: \mathbb{E}\,\tfrac{1}{\epsilon^2}
              \lVert F(g(z(t))) - F(g(z(t + \epsilon))) \rVert^2, \qquad z(0) = \text{start}, z(1) = \text{end}

    with the squared norm a sum over all elements of the features, not a mean. A short path is a smooth one; but a
    decoder that ignores its code has length 0, so report the reconstruction error too. Numbers are comparable only with
    the same features, sampling, kind and epsilon. For LPIPS let ``features`` return the network's normalised
    activations, flattened, each times the root of its weight over its number of positions.

    Codes are mixed in float64 and rounded to their type; differences are taken in float64. What remains is the rounding
    of the networks: in float32 it changes the result of small decoders by about 1e-4 of it at the default, StyleGAN's
    own step, and by 1e-3 at 1e-5. Half precision, autocast or TF32 need a step of 1e-2 or more, whose error, from the
    decoder's curvature, is some 1e-3 to 1e-2 of the result.

    Networks are called, ``decoder(codes)`` and ``features(images)``, on both ends of a step in one batch, without
    gradients, in eval mode, and are then as they were.

    Args:
        decoder: codes ``[B, ...]`` to images.
        start, end: codes ``[n, ...]`` of one shape: real ones, or drawn from the prior, as StyleGAN's are.
        features: images to features ``[B, ...]``; None compares the images themselves.
        epsilon: the step, in (0, 1).
        sampling: "full" draws t uniformly from [0, 1 - epsilon]; "ends" takes 0 or 1 - epsilon, each half the
            time. (StyleGAN's code takes 0 only: its two codes have one distribution.) They differ by tens of per cent.
        kind: "linear" or "spherical" paths, as :func:`interpreg.functional.path`; StyleGAN's spherical ones
            also normalise codes to length 1, which these do not.
        draws: values of t a path.
        generator: of the values of t, which do not depend on ``batch_size``.
        batch_size: steps decoded at a time, two images each.
        trim: a pair of percentiles; distances outside of them are left out. StyleGAN's code uses (1, 99).
        progress: show a bar.

    Raises:
        TypeError, ValueError: an argument of the wrong type, shape or range, images or features that are not
            finite.

    >>> start, end = torch.zeros(4, 3), torch.ones(4, 3)
    >>> round(perceptual_path_length(torch.nn.Identity(), start.double(), end.double()).mean, 6)
    3.0
    """
    _codes.as_rows("start", start)
    _codes.as_rows("end", end)
    _checks.check_shape("end", end, start.shape, "start")
    _checks.check_network("decoder", decoder)
    if features is not None:
        _checks.check_network("features", features)
    _checks.check_one_of("sampling", sampling, SAMPLINGS)
    _checks.check_one_of("kind", kind, PATH_KINDS)
    _check_percentiles(trim)
    if not 0 < _checks.as_number("epsilon", epsilon, high=1.0) < 1:
        raise ValueError(f"epsilon: expected a number between 0 and 1, got {epsilon!r}")
    _checks.as_count("draws", draws, low=1)
    _checks.as_generator(generator)
    _checks.as_count("batch_size", batch_size, low=1)
    index = torch.arange(len(start), device=start.device).repeat(draws)
    device = torch.device("cpu") if generator is None else generator.device
    t = torch.rand(len(index), generator=generator, dtype=torch.float64, device=device)
    t = (t < 0.5).double() if sampling == "ends" else t
    starts = (1 - epsilon) * t.to(start.device)
    pairs = list(zip(index.split(batch_size), starts.split(batch_size), strict=True))
    distances = []
    step = mix if kind == "linear" else slerp
    with evaluating(decoder, features):
        for i, low in bars.progress(pairs, "path length", shown=progress):
            both = [step(end[i].double(), start[i].double(), at).to(start.dtype) for at in (low, low + epsilon)]
            x = _features(decoder, features, torch.cat(both))
            distances.append((x[len(i) :] - x[: len(i)]).square().sum(1) / epsilon**2)
    moving = (start != end).reshape(len(start), -1).any(1)[index]
    return _summary(torch.cat(distances)[moving], int((~moving).sum()), trim)


@torch.no_grad()
def frechet_distance(
    images: Tensor,
    reference: Tensor,
    *,
    features: Network | None = None,
    batch_size: int = 256,
    progress: bool = True,
) -> float:
    r"""The Fréchet distance of two sets, as normal distributions of their features (Heusel et al. 2017).

    .. math:: \lVert \mu_1 - \mu_2 \rVert^2
              + \operatorname{Tr}\!\big(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\big) \ge 0

    in float64, with unbiased covariances; the last trace is the sum of the singular values of
    :math:`\Sigma_1^{1/2} \Sigma_2^{1/2}`. With the features of an Inception network this is the FID, which means
    nothing on digits or lines: use features of your own. The estimate is biased upwards, the more the fewer samples, so
    compare only sets of the same size; with no more samples than features a covariance is singular, and a
    ``UserWarning`` is issued. It does not depend on ``batch_size`` but for rounding. ``features`` is called without
    gradients, in eval mode, and is then as it was. Memory: a batch, and a few matrices ``[d, d]`` of d features.

    Args:
        images, reference: ``[n, ...]`` and ``[m, ...]``, at least two each.
        features: images to features ``[B, ...]``, flattened; None takes the images themselves.
        batch_size: images at a time.
        progress: show a bar.

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape, images or features that are not finite.

    >>> x = torch.tensor([[-1.0], [0.0], [1.0]])
    >>> round(frechet_distance(x, 2 * x + 3), 6)  # means 3 apart, standard deviations 1 and 2
    10.0
    """
    _codes.as_rows("images", images, low=2)
    _codes.as_rows("reference", reference, low=2)
    _checks.as_count("batch_size", batch_size, low=1)
    if features is not None:
        _checks.check_network("features", features)
    with evaluating(features):
        mean, scatter = _moments(features, images, batch_size, progress)
        other, other_scatter = _moments(features, reference, batch_size, progress)
    if mean.shape != other.shape:
        raise ValueError(f"reference: expected as many features as images, {len(mean)}, got {len(other)}")
    if min(len(images), len(reference)) <= len(mean):
        warn(
            f"frechet_distance: {len(images)} images and {len(reference)} references give no full covariance of "
            f"{len(mean)} features; the distance is dominated by the number of samples"
        )
    covariance, other_covariance = scatter / (len(images) - 1), other_scatter / (len(reference) - 1)
    overlap = torch.linalg.svdvals(_root(covariance) @ _root(other_covariance)).sum()
    distance = (mean - other).square().sum() + covariance.trace() + other_covariance.trace() - 2 * overlap
    return max(float(distance), 0.0)


def _check_percentiles(trim: object) -> None:
    if trim is None:
        return
    if not isinstance(trim, (tuple, list)) or len(trim) != 2:
        raise TypeError(f"trim: expected a pair of percentiles or None, got {_checks.describe(trim)}")
    low, high = (_checks.as_number("trim", p, high=100.0) for p in trim)
    if not low < high:
        raise ValueError(f"trim: expected low < high within [0, 100], got {trim!r}")


def _features(decoder: Network | None, features: Network | None, inputs: Tensor) -> Tensor:
    """Features of inputs, or of the decoded inputs: ``[B, d]`` in float64, finite."""
    x = inputs
    for name, network in (("decoder", decoder), ("features", features)):
        if network is not None:
            x = output_of(name, network, x)
    return x.reshape(len(x), -1).double()


def _summary(distances: Tensor, undefined: int, trim: tuple[float, float] | None) -> PathLength:
    inliers = distances
    if trim is not None and len(distances):
        low, high = (p / 100 for p in trim)
        lower = torch.quantile(distances, low, interpolation="lower")
        upper = torch.quantile(distances, high, interpolation="higher")
        inliers = distances[(distances >= lower) & (distances <= upper)]
    return PathLength(
        mean=float(inliers.mean()) if len(inliers) else math.nan,
        std=float(inliers.std()) if len(inliers) > 1 else math.nan,
        n=len(inliers),
        undefined=undefined,
        trimmed=len(distances) - len(inliers),
    )


def _moments(features: Network | None, images: Tensor, batch_size: int, shown: bool) -> tuple[Tensor, Tensor]:
    """The mean of the features and their scatter matrix, merged from those of batches."""
    n, mean, scatter = 0, torch.zeros(()), torch.zeros(())
    for batch in bars.progress(images.split(batch_size), "features", shown=shown):
        x = _features(None, features, batch)
        centre, m = x.mean(0), len(x)
        centred = x - centre
        if n == 0:
            mean, scatter = centre, centred.T @ centred
        else:
            apart = centre - mean
            mean = mean + apart * (m / (n + m))
            scatter += centred.T @ centred + torch.outer(apart, apart) * (n * m / (n + m))
        n += m
    return mean, scatter


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
