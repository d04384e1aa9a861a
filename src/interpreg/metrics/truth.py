"""Interpolants against the real images in between, where a data set's parameters are known (AEAI, section 4.3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg import _progress as bars
from interpreg._types import Network
from interpreg.functional.mixing import PATH_KINDS
from interpreg.metrics import _codes, _paths
from interpreg.metrics._evaluation import evaluating


@dataclass(frozen=True)
class InterpolationError:
    """How far interpolants are from the real images in between; 0 is perfect.

    Attributes:
        alpha: the coefficients ``[s]``, in (0, 1); 0 is the start.
        mean, std: of the mean squared error over all paths, ``[s]`` each.
        overall: the mean over all paths and coefficients.
        paths: number of paths.
    """

    alpha: Tensor
    mean: Tensor
    std: Tensor
    overall: float
    paths: int


@dataclass(frozen=True)
class ErrorByInterval:
    """The interpolation error by the length of the interval.

    Attributes:
        length: of the intervals, in ``unit``, ``[k]``.
        mean, std: of the mean squared error over all in-between images of all intervals, ``[k]`` each.
        unit: of the lengths.
    """

    length: Tensor
    mean: Tensor
    std: Tensor
    unit: str


def intervals(views: int, images: int, *, closed: bool) -> Tensor:
    """All intervals of consecutive views: indices ``[n, images]``.

    AEAI's "interval of 80 degrees" of views 5 degrees apart is split "into 16 images", of which 14 are in between
    (appendix B): ``intervals(72, 16, closed=True)``. The first and the last of 16 are 75 degrees apart; 80 degrees
    take 17 images.

    Args:
        views: number of views, in order.
        images: views of an interval, both ends included; at least 3.
        closed: whether the first view follows the last, as on a turntable.

    Returns:
        ``views`` intervals if closed, else ``views - images + 1``.

    Raises:
        TypeError, ValueError: not counts, or more images than views.

    >>> intervals(4, 3, closed=True)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 0],
            [3, 0, 1]])
    """
    _checks.as_count("views", views, low=3)
    if _checks.as_count("images", images, low=3) > views:
        raise ValueError(f"images: expected at most as many as there are views, {views}, got {images}")
    starts = torch.arange(views if closed else views - images + 1)
    return (starts[:, None] + torch.arange(images)) % views


def interpolation_error(paths: Tensor, truth: Tensor) -> InterpolationError:
    r"""The mean squared error of interpolants against the real images, by coefficient (AEAI, Figs 6 and 14).

    .. math:: e(\alpha_t) = \frac{1}{n} \sum_i \frac{1}{|x|} \lVert \hat x_i(\alpha_t) - x_{i,t} \rVert^2,
              \quad \alpha_t = \frac{t}{N - 1}, \; 0 < t < N - 1

    The ends are reconstructions, not interpolants, and are left out.

    Args:
        paths: ``[n, steps, ...]``, at least three steps, the ends included.
        truth: the real images at the same steps, of the same shape.

    Raises:
        TypeError: not floating point tensors.
        ValueError: other shapes, or values that are not finite.

    >>> truth = torch.tensor([[[0.0], [1.0], [2.0]]])
    >>> interpolation_error(truth + 0.5, truth).overall
    0.25
    """
    _paths.check_paths(paths)
    _paths.check_paths(truth, "truth")
    _checks.check_shape("truth", truth, paths.shape, "paths")
    steps = paths.shape[1]
    if steps < 3:
        raise ValueError(f"paths: expected at least one step between the ends, got {_checks.describe(paths)}")
    errors = _errors(paths.detach(), truth.detach())
    return InterpolationError(
        alpha=torch.arange(1, steps - 1, dtype=torch.float64) / (steps - 1),
        mean=errors.mean(0).cpu(),
        std=errors.std(0, correction=0).cpu(),
        overall=errors.mean().item(),
        paths=len(paths),
    )


def error_by_interval(
    encoder: Network,
    decoder: Network,
    views: Tensor,
    *,
    images: Iterable[int] = range(4, 18),
    closed: bool = True,
    step: float = 5.0,
    unit: str = "degrees",
    kind: Literal["linear", "spherical"] = "linear",
    batch_size: int = 256,
    progress: bool = True,
) -> ErrorByInterval:
    """The interpolation error of all intervals of a ring of views, by the interval's length (AEAI, Fig. 6 right).

    Args:
        encoder, decoder: the pair, called without gradients in eval mode, and then as it was.
        views: the real images of one or more objects, each in order: ``[objects, views, ...]``.
        images: views of each interval, both ends included. The default has lengths of 15 to 80 degrees
            where views are 5 degrees apart, as in the paper.
        closed: whether the first view follows the last.
        step: the parameter between neighbouring views, in ``unit``.
        unit: of the parameter.
        kind: of the paths between codes.
        batch_size: images decoded at a time, at most.
        progress: show a bar on a terminal if it takes long.

    Raises:
        TypeError, ValueError: as :func:`intervals` and :func:`interpolation_error`.
    """
    _checks.check_network("encoder", encoder)
    _checks.check_network("decoder", decoder)
    _paths.check_paths(views, "views")
    _checks.check_one_of("kind", kind, PATH_KINDS)
    _checks.as_count("batch_size", batch_size, low=1)
    _checks.as_positive("step", step)
    counts = _counts(images, views.shape[1])
    with evaluating(encoder, decoder):
        codes = _paths.run_in_batches("encoder", encoder, views.flatten(0, 1), batch_size, progress)
        codes = codes.view(*views.shape[:2], *codes.shape[1:])
        means, stds = [], []
        for count in bars.progress(counts, "intervals", shown=progress):
            rows = intervals(views.shape[1], count, closed=closed)
            errors = []
            for ring, z in zip(views, codes, strict=True):
                truth, ends = ring[rows], (z[rows[:, 0]], z[rows[:, -1]])
                decoded = _paths.decode_paths(
                    decoder, *ends, count, kind=kind, batch_size=batch_size, progress=False
                )
                _checks.check_shape("decoder", decoded, truth.shape, "the views")
                errors.append(_errors(decoded, truth).flatten())
            every = torch.cat(errors)
            means.append(every.mean())
            stds.append(every.std(correction=0))
    lengths = torch.tensor([(count - 1) * step for count in counts], dtype=torch.float64)
    return ErrorByInterval(lengths, torch.stack(means).cpu(), torch.stack(stds).cpu(), unit)


def _counts(images: Iterable[int], views: int) -> list[int]:
    """The numbers of images in an interval, each at least 3 and at most as many as there are views."""
    if isinstance(images, str) or not isinstance(images, Iterable):
        raise TypeError(
            f"images: expected numbers of images, such as range(4, 18), got {_checks.describe(images)}"
        )
    counts = [_checks.as_count("images", count, low=3) for count in images]
    if not counts:
        raise ValueError("images: expected at least one number of images, got none")
    if max(counts) > views:
        raise ValueError(f"images: expected at most as many as there are views, {views}, got {max(counts)}")
    return counts


def _errors(paths: Tensor, truth: Tensor) -> Tensor:
    """The mean squared error of each image between the ends, ``[n, steps - 2]`` in float64."""
    blocks = _codes.blocks(paths[:, 1:-1], truth[:, 1:-1])
    return torch.cat([(images - real).double().square().flatten(2).mean(2) for images, real in blocks])
