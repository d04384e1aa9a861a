"""The four conditions of an admissible interpolation (AEAI, section 2) as numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._types import Network
from interpreg.metrics import _codes, _paths
from interpreg.metrics._evaluation import check_output, evaluating
from interpreg.metrics.nearest import nearest

MIN_RELATIVE_LENGTH = 1e-3  # of the distance between the data: a shorter path is stationary
STEP_TOLERANCE = 1e-6  # of the same distance: a smaller step is not a step back
QUANTILE = 0.95  # of the distances of real images from each other
Distance = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Admissibility:
    """The four conditions of an admissible interpolation. Stationary paths count for ``boundary`` only.

    Attributes:
        boundary: mean squared error of the paths' two ends against the data; 0 is perfect.
        monotonicity: share of steps that lead away from the start *and* nearer to the end, in [0, 1]; 1 is perfect.
        backtrack: the way that steps go back, by the distance to either end, as a share of the whole way (mean of
            both); 0 is perfect.
        lipschitz: the constant K: the largest speed of any step of any path, \\|x(a + t) - x(a)\\| / t, in the
            Euclidean norm of an image.
        unevenness: mean over paths of the largest speed / the mean speed, in [1, steps - 1]; 1 is perfectly even.
        credibility: share of the images in between that count as real, 1 - beta; 1 is best. NaN without references or
            a probability.
        threshold: the mean squared distance to a reference up to which an image counts as real; NaN without references.
        stationary: number of paths that hardly move; if all are, only ``boundary`` is not NaN.
        paths: number of paths.
    """

    boundary: float
    monotonicity: float
    backtrack: float
    lipschitz: float
    unevenness: float
    credibility: float
    threshold: float
    stationary: int
    paths: int


def euclidean(images: Tensor, others: Tensor) -> Tensor:
    """The Euclidean distance of images ``[n, ...]`` to others: ``[n]``."""
    apart: Tensor = (images - others).flatten(1).norm(dim=1)
    return apart


def admissibility(
    paths: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    references: Tensor | None = None,
    probability: Network | None = None,
    distance: Distance = euclidean,
    quantile: float = QUANTILE,
    progress: bool = True,
) -> Admissibility:
    r"""Boundary, monotonicity, Lipschitz constant and credibility of interpolations (AEAI, section 2).

    1. *Boundary*: :math:`\hat x(0) = x_i, \hat x(1) = x_j`.
    2. *Monotonicity*: :math:`d(\hat x(\alpha), x_i) \leq d(\hat x(\alpha'), x_i)` and
       :math:`d(\hat x(\alpha'), x_j) \leq d(\hat x(\alpha), x_j)` for :math:`\alpha' \geq \alpha`, which holds for
       all if it holds for neighbouring steps.
    3. *Smoothness*: :math:`\lVert \hat x(\alpha) - \hat x(\alpha + t) \rVert \leq K |t|`; K is estimated from the
       steps, so more steps raise it.
    4. *Credibility*: :math:`P(\hat x(\alpha)) \geq 1 - \beta`. The paper leaves P undefined. With ``references`` an
       image counts as real if it is no farther from its nearest reference (mean squared error) than 95 % of the data
       ``start`` and ``end`` are from theirs, an image's own copy left out. With ``probability`` it is that network's
       mean over images.

    Args:
        paths: ``[n, steps, ...]``, both ends included.
        start, end: the data that the paths lead from and to, ``[n, ...]``.
        references: real images ``[m, ...]``, at least two.
        probability: instead, a callable of images ``[k, ...]`` that returns ``[k]`` in [0, 1].
        distance: d of the monotonicity, a callable of two batches of images that returns ``[n]``; Euclidean in the
            pixels when not given. The paper's own choice is the distance of codes:
            ``lambda x, y: (encoder(x) - encoder(y)).flatten(1).norm(dim=1)``.
        quantile: the share of real images that the threshold of credibility admits, in (0, 1].
        progress: show a bar on a terminal if it takes long.

    Raises:
        TypeError: not floating point tensors, or a ``probability`` that cannot be called.
        ValueError: other shapes, values that are not finite, both ``references`` and ``probability``.

    >>> start, end = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    >>> path = torch.stack([start, end / 2, end], dim=1)
    >>> result = admissibility(path, start, end)
    >>> result.boundary, result.monotonicity, result.lipschitz, result.unevenness
    (0.0, 1.0, 5.0, 1.0)
    """
    _paths.check_paths(paths)
    _paths.check_ends(paths, start=start, end=end)
    if references is not None and probability is not None:
        raise ValueError("probability: expected None beside references, got both")
    _checks.as_number("quantile", quantile, high=1.0)
    if references is None and quantile != QUANTILE:
        raise ValueError(f"quantile: expected its default without references, of which it is, got {quantile!r}")
    for name, network in (("probability", probability), ("distance", distance)):
        if network is not None:
            _checks.check_network(name, network)
    boundary = (_codes.mean_squared_error(paths[:, 0], start) + _codes.mean_squared_error(paths[:, -1], end)) / 2
    steps = zip(paths.unbind(1), paths.unbind(1)[1:], strict=False)
    strides = torch.stack([_distances(image, following) for image, following in steps], dim=1)  # [n, steps - 1]
    moving = strides.sum(1) > MIN_RELATIVE_LENGTH * _distances(start, end)
    forward, backtrack = _monotonicity(paths[moving], start[moving], end[moving], distance)
    credibility, threshold = _credibility(paths[moving], start, end, references, probability, quantile, progress)
    speeds = strides[moving] * strides.shape[1]
    return Admissibility(
        boundary=boundary,
        monotonicity=forward,
        backtrack=backtrack,
        lipschitz=speeds.max().item() if len(speeds) else math.nan,
        unevenness=(speeds.amax(1) / speeds.mean(1)).mean().item() if len(speeds) else math.nan,
        credibility=credibility,
        threshold=threshold,
        stationary=int((~moving).sum()),
        paths=len(paths),
    )


def _distances(images: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances ``[n]`` in float64."""
    return torch.cat([euclidean(a.double(), b.double()) for a, b in _codes.blocks(images, others)])


def _distance(distance: Distance, images: Tensor, others: Tensor) -> Tensor:
    """The caller's distance, ``[n]`` in float64; an error unless it is one finite number an image."""
    apart = distance(images, others)
    _checks.check_tensor("distance", apart)
    if apart.shape != (len(images),):
        raise ValueError(
            f"distance: expected one number for each of {len(images)} images, got {_checks.describe(apart)}"
        )
    _codes.check_finite("distance", apart)
    return apart.double()


@torch.no_grad()
def _monotonicity(paths: Tensor, start: Tensor, end: Tensor, distance: Distance) -> tuple[float, float]:
    """The share of steps that lead forward, and the share of the way that leads back."""
    if len(paths) == 0:
        return math.nan, math.nan
    with evaluating(distance):
        away, nearer = (
            torch.stack([_distance(distance, image, data) for image in paths.unbind(1)], dim=1)
            for data in (start, end)
        )
        whole = _distance(distance, start, end)[:, None]
    nearer = -nearer
    steps = torch.stack([away.diff(dim=1), nearer.diff(dim=1)])  # [2, n, steps - 1]
    forward = (steps >= -STEP_TOLERANCE * whole).all(0).double().mean().item()
    length = steps.abs().sum((0, 2))
    back = (-steps).clamp(min=0).sum((0, 2)) / length.where(length > 0, torch.ones_like(length))
    return forward, back.mean().item()


def _credibility(
    paths: Tensor,
    start: Tensor,
    end: Tensor,
    references: Tensor | None,
    probability: Network | None,
    quantile: float,
    progress: bool,
) -> tuple[float, float]:
    """The share of images in between that count as real, and the distance up to which they do."""
    between = paths[:, 1:-1].flatten(0, 1)
    if probability is not None:
        with torch.no_grad(), evaluating(probability):
            probabilities = probability(between) if len(between) else between.new_empty(0)
        check_output("probability", probabilities)
        if probabilities.numel() != len(between):
            raise ValueError(f"probability: expected one number an image, got {_checks.describe(probabilities)}")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("probability: expected numbers in [0, 1], got some outside; does it return logits?")
        return probabilities.double().mean().item(), math.nan
    if references is None:
        return math.nan, math.nan
    data = torch.cat([start, end])
    if len(references) < 2:
        raise ValueError(f"references: expected at least two images, got {_checks.describe(references)}")
    threshold = torch.quantile(_distances_to_others(data, references), quantile).item()
    if len(between) == 0:
        return math.nan, threshold
    distances = nearest(between, references, "mse", progress=progress).distances
    return (distances <= threshold).double().mean().item(), threshold


def _distances_to_others(data: Tensor, references: Tensor) -> Tensor:
    """The mean squared distance of each of ``data`` to its nearest reference that is not a copy of it."""
    distances, indices = nearest(data, references, "mse")
    copies = torch.where(distances == 0, indices, -1)
    return nearest(data, references, "mse", leave_out=copies).distances if (copies >= 0).any() else distances
