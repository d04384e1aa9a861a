"""What measures of paths share: checks, parameters that come round, and the paths themselves, decoded in batches."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._progress import progress as bar
from interpreg._types import Network
from interpreg.functional import path
from interpreg.metrics import _codes

Period = float | Sequence[float | None] | None


def check(paths: Tensor, name: str = "paths") -> None:
    """Raise unless ``paths`` are finite images ``[n, steps, ...]``, at least one path of two steps."""
    _checks.check_tensor(name, paths)
    if paths.ndim < 3:
        raise ValueError(f"{name}: expected shape [n, steps, ...], got {_checks.describe(paths)}")
    if len(paths) == 0 or paths.shape[1] < 2:
        raise ValueError(f"{name}: expected at least one path of two steps, got {_checks.describe(paths)}")
    check_finite(name, paths.flatten(0, 1))


def check_finite(name: str, images: Tensor) -> None:
    """Raise unless ``images`` are a floating point batch without NaN and infinity; say how many are not."""
    _checks.check_tensor(name, images)
    _codes.check_finite(name, images)


def check_ends(paths: Tensor, **ends: Tensor) -> None:
    """Raise unless each of ``ends`` has one finite image for each path."""
    for name, images in ends.items():
        _checks.check_tensor(name, images)
        _checks.check_shape(name, images, torch.Size([len(paths), *paths.shape[2:]]), "one image a path")
        check_finite(name, images)


def parameters_of(references: Tensor, parameters: Tensor, period: Period) -> tuple[Tensor, Tensor]:
    """The references' parameters ``[m, k]`` in float64, and the k periods, infinite where there is none."""
    check_finite("parameters", parameters)
    known = parameters.detach().to(references.device, torch.float64)
    known = known[:, None] if known.ndim == 1 else known
    if known.ndim != 2 or len(known) != len(references):
        raise ValueError(
            f"parameters: expected shape [{len(references)}] or [{len(references)}, k], one for each reference, "
            f"got {_checks.describe(parameters)}"
        )
    cycles = list(period) if isinstance(period, Sequence) else [period] * known.shape[1]
    if len(cycles) != known.shape[1]:
        raise ValueError(f"period: expected one for each of {known.shape[1]} parameters, got {len(cycles)}")
    checked = [math.inf if cycle is None else _checks.as_number("period", cycle) for cycle in cycles]
    if 0 in checked:
        raise ValueError("period: expected None or a positive number, got 0")
    return known, known.new_tensor(checked)


def wrapped(differences: Tensor, period: Tensor) -> Tensor:
    """Differences of parameters ``[..., k]``, each in [-period / 2, period / 2]: numpy.unwrap's, where it has one."""
    half = period / 2
    turns = (differences + half).remainder(period) - half
    turns = torch.where((turns == -half) & (differences > 0), -turns, turns)
    return torch.where(period.isfinite(), turns, differences)


def reach(parameters: Tensor, period: Tensor) -> float:
    """The farthest that two parameters can be apart; at least a tiny number."""
    spread = parameters.amax(0) - parameters.amin(0)
    return max(float(torch.where(period.isfinite(), period / 2, spread).norm()), 1e-300)


@torch.no_grad()
def called(name: str, network: Network, values: Tensor, batch_size: int, progress: bool) -> Tensor:
    """What a network makes of ``values``, at most ``batch_size`` at a time; an error unless it is finite."""
    found = []
    for block in bar(values.split(batch_size), name, shown=progress):
        result = network(block)
        _checks.check_tensor(name, result)
        _checks.check_batch_size(name, result, len(block))
        found.append(result)
    whole = torch.cat(found)
    _codes.check_finite(name, whole)
    return whole


def decoded(
    decoder: Network,
    start: Tensor,
    end: Tensor,
    steps: int,
    *,
    kind: str = "linear",
    batch_size: int = 256,
    progress: bool = True,
) -> Tensor:
    """The paths ``[n, steps, ...]`` that are decoded between codes ``[n, ...]``."""
    images = called("decoder", decoder, path(start, end, steps, kind).flatten(0, 1), batch_size, progress)
    return images.view(len(start), steps, *images.shape[1:])
