"""The range of a decoder's values: read behind what reshapes, joins, resizes and scales them, and never guessed."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from interpreg.regularizers.reach import limits_of, reach

INF = math.inf


def output(seed: int = 0) -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def limits(images: Tensor) -> list[float]:
    found = limits_of(images, 0.05)
    return [-INF, INF] if found is None else [round(limit, 3) for limit in found.tolist()]


@pytest.mark.parametrize("behind", [
    lambda s: s.permute(0, 2, 3, 1).permute(0, 3, 1, 2).reshape(4, 3, 8, 8),
    lambda s: s[:, :, 1:-1, 1:-1], lambda s: s.flip(3), lambda s: s.roll(1, 2), lambda s: s[torch.arange(4)],
    lambda s: torch.cat([s[:, :1], s[:, 1:]], 1), lambda s: torch.stack(s.unbind(1), 1), lambda s: s.split(1, 1)[0],
    lambda s: F.interpolate(s, 16), lambda s: F.interpolate(s, 16, mode="bilinear"), lambda s: F.avg_pool2d(s, 2),
    lambda s: F.pad(s, (1, 1, 1, 1)), lambda s: F.pixel_shuffle(s.repeat(1, 4, 1, 1), 2), lambda s: s.double(),
    lambda s: s.clamp(1e-6, 1 - 1e-6), lambda s: s * 255 / 255, lambda s: torch.where(s > 0.5, s, s.flip(0)),
])  # fmt: skip
def test_a_sigmoid_is_seen_behind_what_keeps_its_values(behind) -> None:
    assert limits(behind(torch.sigmoid(output()))) == [0, 1]


@pytest.mark.parametrize(("images", "expected"), [
    (lambda h: torch.tanh(h) / 2 + 0.5, [0, 1]), (lambda h: (torch.tanh(h) + 1) / 2, [0, 1]),
    (lambda h: 2 * torch.sigmoid(h) - 1, [-1, 1]), (lambda h: 1 - torch.sigmoid(h).square(), [-INF, 1]),
    (lambda h: (3 * torch.tanh(h)).permute(0, 2, 3, 1), [-3, 3]), (lambda h: -F.relu(h), [-INF, 0]),
    (torch.relu, [0, INF]), (torch.square, [0, INF]), (torch.abs, [0, INF]), (F.softplus, [0, INF]),
    (F.gelu, [-0.17, INF]), (F.silu, [-0.28, INF]), (F.elu, [-1, INF]), (F.selu, [-1.758, INF]),
    (F.hardsigmoid, [0, 1]), (F.relu6, [0, 6]), (torch.sin, [-1, 1]), (F.logsigmoid, [-INF, 0]),
    (lambda h: h.clamp(min=-2), [-2, INF]),
])  # fmt: skip
def test_ranges(images, expected: list[float]) -> None:
    found = limits(images(output()))
    assert found == expected or (expected == [-INF, 1] and found == [-INF, INF])  # no result is kept there


@pytest.mark.parametrize("images", [
    lambda h: h, lambda h: h @ h, lambda h: torch.sigmoid(h) + h, lambda h: torch.sigmoid(h) * h,
    lambda h: F.conv2d(torch.sigmoid(h), torch.ones(3, 3, 1, 1)),
    lambda h: (torch.sigmoid(h) - torch.rand(3, 1, 1)) / torch.rand(3, 1, 1),  # a mean and a deviation a channel
    lambda h: torch.sigmoid(h).masked_fill(h > 0, -1.0), lambda h: F.pad(torch.sigmoid(h), (1, 1), value=-1.0),
    lambda h: torch.cat([torch.sigmoid(h), torch.ones(4, 1, 8, 8)], 1), lambda h: h.clamp(torch.zeros(()), None),
    lambda h: torch.tanh(0 * h) / 2, lambda h: h.detach(), lambda h: torch.sigmoid(h * torch.nan),
])  # fmt: skip
def test_what_is_not_known_is_not_guessed(images) -> None:
    assert limits(images(output())) == [-INF, INF]


def test_what_hooks_packed_is_not_unpacked() -> None:
    """It might run a network again."""
    unpacked = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(1) or t):
        packed = 2 * torch.sigmoid(output()) - 1
    assert limits(packed) == [-INF, INF]
    assert limits(checkpoint(lambda h: torch.tanh(h) / 2, output(), use_reentrant=False)) == [-INF, INF]
    assert not unpacked
    freed = 2 * torch.sigmoid(output()) - 1
    freed.sum().backward()
    assert limits(freed) in ([-INF, INF], [-1, 1])


def test_other_outputs_than_images_have_no_reach() -> None:
    assert reach(torch.distributions.Normal(0.0, 1.0)) == reach(None) == (-INF, INF, None)
    assert limits_of([output()], 0.05) is None
