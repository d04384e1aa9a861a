"""Reconstructions that are disturbed: in training only, from a generator, of valid positions alone."""

import pytest
import torch
from torch import Tensor, nn

from interpreg import CodeDropout, Denoising, DenoisingRegularizer, DropoutRegularizer, Sparsity
from interpreg.functional import sparsity_kl


@pytest.mark.parametrize("kind", [DenoisingRegularizer, DropoutRegularizer])
def test_in_eval_mode_nothing_is_disturbed(kind, encoder, decoder, x) -> None:
    (loss,) = kind(encoder, decoder).eval()(x).values()
    torch.testing.assert_close(loss, ((decoder(encoder(x)) - x) ** 2).mean())


def test_a_corruption_of_ones_own_and_its_errors(encoder, decoder, x) -> None:
    (loss,) = DenoisingRegularizer(encoder, decoder, corrupt=lambda x: x.flip(-1))(x).values()
    torch.testing.assert_close(loss, ((decoder(encoder(x.flip(-1))) - x) ** 2).mean())
    with pytest.raises(ValueError, match="corrupt: expected the shape of x"):
        DenoisingRegularizer(encoder, decoder, corrupt=lambda x: x[..., 1:])(x)


def test_masks_count_valid_positions_alone() -> None:
    class Tokens(nn.Linear):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            assert mask.shape == x.shape[:2]
            return super().forward(x)

    encoder, decoder = Tokens(5, 4), Tokens(4, 5)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    x = torch.randn(2, 3, 5)
    losses = (Denoising(encoder, decoder, std=0.0) + CodeDropout(encoder, decoder, p=0.0))(x, mask=mask)
    z = encoder(x, mask)
    expected = ((decoder(z, mask) - x)[mask] ** 2).mean()
    for loss in losses.values():
        torch.testing.assert_close(loss, expected)
    z = z[mask]
    l1, kl = Sparsity(encoder, decoder), Sparsity(encoder, decoder, penalty="kl")
    torch.testing.assert_close(l1(x, mask=mask)["sparsity"], z.abs().mean())
    torch.testing.assert_close(kl(x, mask=mask)["sparsity"], sparsity_kl(z))
    nothing = kl(x, mask=torch.zeros_like(mask))["sparsity"]
    nothing.backward()
    assert nothing == 0
    assert encoder.weight.grad.isfinite().all()
