"""Views of a turning line, a pair of untrained networks for them, and a pair that knows their angle."""

import torch
from torch import Tensor, nn

from interpreg.datasets import Samples, lines


def pair(size: int = 16) -> tuple[nn.Module, nn.Module]:
    """An encoder with dropout, and its decoder; the same weights every time."""
    torch.manual_seed(1)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size * size, 6), nn.Dropout(0.5))
    return encoder, nn.Sequential(nn.Linear(6, size * size), nn.Unflatten(1, (1, size, size)))


def turned(views: int = 24, objects: int = 1, first: float = 0) -> Samples:
    """Lines at evenly spaced angles, in degrees: a turntable, one row of labels an object."""
    degrees = torch.arange(views).repeat(objects) * 360.0 / views + first
    labels = torch.arange(objects).repeat_interleave(views)
    images = lines.render(degrees.deg2rad(), 16) * (1 - 0.3 * labels.view(-1, 1, 1, 1))
    return Samples(images, labels, degrees[:, None], (360.0,), ("angle (degrees)",), "turntable")


class Angle(nn.Module):
    """An encoder that knows the angle of a line, as a point on a circle's tangent: a known rotation."""

    def forward(self, x: Tensor) -> Tensor:
        table = lines.render(torch.arange(360.0).deg2rad(), 16).flatten(1)
        best = (x.flatten(1) @ table.T - table.square().sum(1) / 2).argmax(1)
        return best.float().deg2rad()[:, None]


class Line(nn.Module):
    """The decoder of :class:`Angle`."""

    def forward(self, z: Tensor) -> Tensor:
        return lines.render(z[:, 0], 16)
