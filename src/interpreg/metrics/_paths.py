"""Shared by the measures of paths: checks, periodic parameters, networks called in batches."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from interpreg import _checks
from interpreg import _progress as bars
from interpreg._types import Network
from interpreg.functional import path
from interpreg.metrics import _codes
from interpreg.metrics._evaluation import output_of

Period = float | Sequence[float | None] | None


def check_paths(paths: Tensor, name: str = "paths") -> None:
    """Raise unless ``paths`` are finite images ``[n, steps, ...]``, at least one path of two steps."""
    _checks.check_tensor(name, paths)
    if paths.ndim < 3:
        raise ValueError(f"{name}: expected shape [n, steps, ...], got {_checks.describe(paths)}")
    if len(paths) == 0 or paths.shape[1] < 2:
        raise ValueError(f"{name}: expected at least one path of two steps, got {_checks.describe(paths)}")
    _codes.check_finite(name, paths.flatten(0, 1))


def check_ends(paths: Tensor, **ends: Tensor) -> None:
    """Raise unless each of ``ends`` has one finite image for each path."""
    for name, images in ends.items():
        _codes.check_finite(name, images)
        _checks.check_shape(name, images, torch.Size([len(paths), *paths.shape[2:]]), "one image a path")


def as_parameters(references: Tensor, parameters: Tensor, period: Period) -> tuple[Tensor, Tensor]:
    """The references' parameters ``[m, k]`` in float64, and the k periods, infinite where there is none."""
    _checks.check_tensor("references", references)
    _codes.check_finite("parameters", parameters)
    values = parameters.detach().to(references.device, torch.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != len(references):
        raise ValueError(
            f"parameters: expected shape [{len(references)}] or [{len(references)}, k], one for each reference, "
            f"got {_checks.describe(parameters)}"
        )
    cycles = list(period) if isinstance(period, Sequence) else [period] * values.shape[1]
    if len(cycles) != values.shape[1]:
        raise ValueError(f"period: expected one for each of {values.shape[1]} parameters, got {len(cycles)}")
    expected = "None or a positive number"
    periods = [math.inf if cycle is None else _checks.as_positive("period", cycle, expected) for cycle in cycles]
    return values, values.new_tensor(periods)


def wrap(differences: Tensor, period: Tensor) -> Tensor:
    """Differences of parameters ``[..., k]``, in [-period / 2, period / 2] where there is one, as ``numpy.unwrap``."""
    half = period / 2
    turns = (differences + half).remainder(period) - half
    turns = torch.where((turns == -half) & (differences > 0), -turns, turns)
    return torch.where(period.isfinite(), turns, differences)


def largest_distance(parameters: Tensor, period: Tensor) -> float:
    """The largest distance that two parameters can have; at least 1e-300."""
    spread = parameters.amax(0) - parameters.amin(0)
    return max(float(torch.where(period.isfinite(), period / 2, spread).norm()), 1e-300)


@torch.no_grad()
def run_in_batches(name: str, network: Network, values: Tensor, batch_size: int, progress: bool) -> Tensor:
    """The output of a network for ``values``, at most ``batch_size`` at a time; an error unless it is finite."""
    blocks = bars.progress(values.split(batch_size), name, shown=progress)
    # a copy, because the network may change it in place
    return torch.cat([output_of(name, network, block.clone()).detach() for block in blocks])


def decode_paths(
    decoder: Network,
    start: Tensor,
    end: Tensor,
    steps: int,
    *,
    kind: str = "linear",
    batch_size: int = 256,
    progress: bool = True,
) -> Tensor:
    """The decoded paths ``[n, steps, ...]`` between codes ``[n, ...]``; codes of a batch exist at a time."""
    pairs = max(1, batch_size // steps)
    images = []
    for ends in bars.progress(
        list(zip(start.split(pairs), end.split(pairs), strict=True)), "paths", shown=progress
    ):
        codes = path(*ends, steps, kind).flatten(0, 1)
        images.append(run_in_batches("decoder", decoder, codes, batch_size, progress=False))
    decoded = torch.cat(images)
    return decoded.view(len(start), steps, *decoded.shape[1:])
