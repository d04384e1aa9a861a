"""How far codes are from their codebook vectors."""

import torch
from torch import nn
from wrapped import nearest
from zoo import convolutional_pair

from interpreg import VectorQuantizer, VQVAERegularizer


def test_the_commitment_of_half_precision_codes_is_in_fp32() -> None:
    encoder = VectorQuantizer(nn.Identity(), dim=2)
    x = torch.randn(50, 2).bfloat16()
    codebook = encoder.quantizer.codebook.clone()
    expected = (x.float() - codebook[nearest(x.float(), codebook)]).square().mean()
    for mode in (False, True):
        encoder.train(mode)(x)
        torch.testing.assert_close(encoder.take_aux().commitment, expected)


def test_in_eval_mode_the_commitment_is_still_said() -> None:
    network, decoder, x = convolutional_pair()
    encoder = VectorQuantizer(network, dim=4).eval()
    reg = VQVAERegularizer(encoder, decoder).eval()
    losses = reg(x)
    expected = (network(x) - encoder(x)).square().mean()
    torch.testing.assert_close(losses["commitment"], 0.25 * expected)
