"""Inputs for pictures, all by formula: bars, measured curves, spiralling codes."""

import math
from types import SimpleNamespace

import torch
from torch import Tensor

ALPHA = torch.linspace(0, 1, 16, dtype=torch.float64)
LENGTH = torch.arange(15, 85, 5, dtype=torch.float64)


def bars(n: int, colours: int = 1, size: int = 16) -> Tensor:
    """``[n, colours, size, size]``: a bar through the middle, turning half a turn."""
    across = torch.linspace(-1, 1, size)
    angle = math.pi * torch.arange(n)[:, None, None] / n
    distance = (across * angle.cos() + across[:, None] * angle.sin()).abs()
    tint = torch.linspace(1, 0.4, colours)[:, None, None]
    return ((1 - 6 * distance).clamp(-1, 1)[:, None] + 1) * tint - 1


def paths(n: int, steps: int, shift: float = 0.0) -> Tensor:
    """``[n, steps, 1, 16, 16]``: bars that turn."""
    return (bars(n * steps) + shift).clamp(-1, 1).view(n, steps, 1, 16, 16)


def grid(rows: int, columns: int, contrast: float = 1.0) -> Tensor:
    """``[rows, columns, 1, 16, 16]``: bars that turn."""
    return contrast * bars(rows * columns).view(rows, columns, 1, 16, 16)


def turning_decoder(codes: Tensor) -> Tensor:
    """A bar turned by the code's first element and moved by its second."""
    first, second = codes.flatten(1)[:, :2, None, None].float().unbind(1)
    across = torch.linspace(-1, 1, 16)
    distance = (across[:, None] - 0.6 * second) * first.cos() + across * first.sin()
    return (1 - 6 * distance.abs()).clamp(-1, 1)[:, None]


def spiral(n: int = 120) -> Tensor:
    """``[n, 2]`` codes that fill an ellipse evenly."""
    turn, radius = 2.399963 * torch.arange(n), ((torch.arange(n) + 0.5) / n).sqrt()
    return torch.stack([3 * radius * turn.cos(), radius * turn.sin()], dim=1)


def tilted(n: int = 120) -> Tensor:
    """``[n, 2, 3]``: the spiral in a plane of a space of six dimensions, and a little of a third direction."""
    directions = torch.tensor([[1.0, 2, 3, 4, 5, 6], [6, -5, 4, -3, 2, -1], [1, 1, -2, 1, 1, -2]])
    directions /= directions.norm(dim=1, keepdim=True)
    third = 0.1 * (5.0 * torch.arange(n)).sin()
    return (torch.cat([spiral(n), third[:, None]], dim=1) @ directions + 0.5).view(n, 2, 3)


def degrees(n: int = 120) -> Tensor:
    """An angle for each code of the spiral."""
    return torch.rad2deg(2.399963 * torch.arange(n)) % 360


def errors(scale: float) -> SimpleNamespace:
    """A measured error by coefficient: none at the ends."""
    mean = 0.02 * scale * 4 * ALPHA * (1 - ALPHA) + 0.004
    return SimpleNamespace(alpha=ALPHA, mean=mean, std=(0.2 + ALPHA) * mean)


def interval_errors(scale: float, unit: str = "degrees") -> SimpleNamespace:
    """A measured error by the interval's length."""
    return SimpleNamespace(length=LENGTH, mean=scale * LENGTH / 4000, std=LENGTH**2 / 500_000, unit=unit)


def retrieved(bend: float) -> SimpleNamespace:
    """Measured coefficients, off the diagonal by a wave."""
    median = ALPHA + bend * (2 * math.pi * ALPHA).sin()
    return SimpleNamespace(alpha=ALPHA, median=median, low=median - 0.04, high=median + 0.06)


def distances(bend: float, interval: float = 70.0) -> SimpleNamespace:
    """Measured distances to both ends of an interval."""
    walked = ALPHA + bend * (2 * math.pi * ALPHA).sin()
    ends = {"from_start": interval * walked + 2, "to_end": interval * (1 - walked) + 2}
    return SimpleNamespace(alpha=ALPHA, interval=interval, **ends)


def history(rate: float = 1.0, n: int = 120) -> list[dict[str, float]]:
    """A logged run: a falling loss and one that goes up and down."""
    return [
        {
            "step": 25 * i,
            "reconstruction": 0.5 * math.exp(-rate * i / 40) + 0.01 + 0.003 * math.sin(7.3 * i),
            "critic": 0.3 + 0.08 * math.sin(i * i),
        }
        for i in range(1, n + 1)
    ]
