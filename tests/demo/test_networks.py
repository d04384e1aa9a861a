"""The networks are the published ones."""

import pytest
import torch

from interpreg.demo import networks


@pytest.mark.parametrize(("shape", "expected"), [  # colours, width, scales, channels of the code
    ((1, 16, 4, 16), (627_472, 313_985)),  # lines
    ((1, 16, 3, 2), (150_146, 75_265)),  # MNIST, 32 dimensions
    ((3, 64, 3, 16), (2_434_704, 1_219_203)),  # SVHN, 256
    ((3, 64, 3, 64), (2_655_936, 1_329_795)),  # CIFAR-10, 1024
])  # fmt: skip
def test_the_networks_have_the_published_sizes(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    """Parameter counts of the published code (brain-research/acai, lib/layers.py)."""
    colours, _, scales, code_channels = shape
    pair = networks.encoder(*shape), networks.decoder(*shape)
    assert tuple(sum(p.numel() for p in network.parameters()) for network in pair) == expected
    x = torch.randn(2, colours, 32, 32)
    z = pair[0](x)
    assert (z.shape, pair[1](z).shape) == ((2, code_channels, 32 >> scales, 32 >> scales), x.shape)
