"""The reconstruction term and the shapes that it, and every term, insists on."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zoo import Zoo

from interpreg import Reconstruction


@pytest.mark.parametrize("loss", ["mse", "l1", F.smooth_l1_loss, lambda a, b: (a - b).pow(4).mean()])
def test_any_loss_will_do(encoder, decoder, x, loss: object) -> None:
    x_hat = decoder(encoder(x))
    by_name = {"mse": (x_hat - x).square().mean(), "l1": (x_hat - x).abs().mean()}
    expected = by_name[loss] if isinstance(loss, str) else loss(x_hat, x)
    ours = Reconstruction(encoder, decoder, loss=loss, weight=3.0)(x)
    torch.testing.assert_close(ours["reconstruction"], 3 * expected)


def test_a_loss_with_parameters_stays_the_users(pair: Zoo) -> None:
    class Perceptual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(1, 2, 3)

        def forward(self, x_hat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return F.mse_loss(self.features(x_hat), self.features(x))

    reg = Reconstruction(pair.encoder, pair.decoder, loss=Perceptual())
    assert reg(pair.x)["reconstruction"].isfinite()
    assert not list(reg.parameters())
    assert not reg.state_dict()


def test_a_loss_of_the_users_is_given_the_mask(sequences) -> None:
    encoder, decoder, x, mask = sequences

    def cross_entropy(x_hat: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.cross_entropy(x_hat[mask], x[mask].argmax(-1))

    reg = Reconstruction(encoder, decoder, loss=cross_entropy)
    expected = nn.functional.cross_entropy(decoder.layers(encoder.layers(x))[mask], x[mask].argmax(-1))
    torch.testing.assert_close(reg(x, mask=mask)["reconstruction"], expected)


def test_signals_without_channels_may_be_padded_too() -> None:
    plain = lambda x, mask: x + 1  # noqa: E731
    x, mask = torch.randn(3, 4), torch.arange(4) < torch.tensor([[4], [1], [2]])
    x_hat = x + 2
    ours = Reconstruction(plain, plain)(x, mask=mask)["reconstruction"]
    torch.testing.assert_close(ours, (x_hat - x)[mask].square().mean())
