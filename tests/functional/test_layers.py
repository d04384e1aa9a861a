"""Layers written out in operations that can be differentiated in every mode, against torch's own."""

import copy

import pytest
import torch
from torch import nn

from interpreg.functional.layers import WrittenOut


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3)])
@pytest.mark.parametrize("weighted", [True, False])
def test_layers_written_out_are_torchs_own(shape: tuple[int, ...], weighted: bool) -> None:
    x = torch.randn(shape)
    layers = [
        nn.LayerNorm(shape[1:], elementwise_affine=weighted),
        nn.RMSNorm(shape[1:], elementwise_affine=weighted),
        nn.GroupNorm(3, 6, affine=weighted),
        nn.BatchNorm1d(6, affine=weighted),
        nn.BatchNorm1d(6, affine=weighted, track_running_stats=False),
        nn.BatchNorm1d(6, affine=weighted).eval(),
    ]
    if len(shape) == 3:
        layers += [nn.InstanceNorm1d(6, affine=weighted), nn.InstanceNorm1d(6, track_running_stats=True).eval()]
    for layer in layers:
        for each in [*layer.parameters(), *layer.buffers()]:
            if each.is_floating_point():
                each.data.uniform_(0.5, 2)
        twin = copy.deepcopy(layer)
        with WrittenOut():
            ours = layer(x)
        torch.testing.assert_close((ours, list(layer.buffers())), (twin(x), list(twin.buffers())))


def test_written_out_layers_refuse_what_torchs_own_refuse() -> None:
    with WrittenOut(), pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        nn.BatchNorm1d(4)(torch.randn(1, 4))
