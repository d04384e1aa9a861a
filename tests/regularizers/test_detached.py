"""Codes and reconstructions without a gradient, though their networks train."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from interpreg import ACAIRegularizer, CycleConsistency, MMDPrior, Reconstruction


def pair() -> tuple[nn.Module, nn.Module, Tensor]:
    return nn.Linear(6, 4), nn.Linear(4, 6), torch.randn(5, 6)


@pytest.mark.fault(
    "Gradients",
    "The loop encodes under `no_grad`, or hands over detached codes, while the encoder trains.",
    now="one warning, at the first call",
)
@pytest.mark.parametrize("how", ["no_grad", "detached", "inside", "functions"])
def test_detached_codes_are_warned_of_once(how: str) -> None:
    encoder, decoder, x = pair()
    reg = ACAIRegularizer(encoder, decoder)
    if how == "inside":
        reg = ACAIRegularizer(torch.no_grad()(encoder.forward), decoder, critic=nn.Linear(6, 1))
    if how == "functions":
        reg = ACAIRegularizer(lambda x: encoder(x).detach(), lambda z: decoder(z), critic=nn.Linear(6, 1))
    with torch.no_grad():
        z = encoder(x)
    z = {"no_grad": z, "detached": encoder(x).detach()}.get(how)
    with pytest.warns(
        UserWarning, match=r"z: expected codes with a gradient, .* or encoder|encoder.requires_grad_"
    ):
        reg(x, z=z)
    reg(x, z=z)
    reg(x, z=z)


def test_detached_reconstructions_are_warned_of_once() -> None:
    encoder, decoder, x = pair()
    for frozen in (False, True):
        decoder.requires_grad_(not frozen)
        reg = Reconstruction(encoder, decoder)
        z = encoder(x)
        with pytest.warns(UserWarning, match=r"x_hat: expected reconstructions with a gradient"):
            reg(x, z=z, x_hat=decoder(z).detach())
        reg(x, z=z, x_hat=decoder(z).detach())


def test_frozen_networks_and_evaluation_are_silent() -> None:
    encoder, decoder, x = pair()
    with torch.no_grad():
        z = encoder(x)
        reg = Reconstruction(encoder, decoder) + CycleConsistency(encoder, decoder)
        reg(x, z=z)
    reg.eval()(x, z=z)
    encoder.requires_grad_(False)
    for _ in range(3):
        reg.train()(x)
        reg(x, z=z)
    decoder.requires_grad_(False)
    reg(x, z=z, x_hat=decoder(z))


def test_a_frozen_half_of_one_module_is_silent() -> None:
    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer, _ = pair()

        def encode(self, x: Tensor) -> Tensor:
            return self.inner(x)

        def decode(self, z: Tensor) -> Tensor:
            return self.outer(z)

    model, x = Autoencoder(), torch.randn(5, 6)
    reg = MMDPrior(model.encode, model.decode)
    with pytest.warns(UserWarning, match="z: expected codes with a gradient"):
        reg(x, z=model.encode(x).detach())
    model.inner.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (Reconstruction(model.encode, model.decode) + MMDPrior(model.encode, model.decode))(x)


def test_codes_that_lose_their_gradient_later_are_noticed() -> None:
    """Networks are looked into at the 1st, 2nd, 4th, 8th ... call with detached codes."""
    encoder, decoder, x = pair()
    reg = Reconstruction(encoder.requires_grad_(False), decoder)
    for _ in range(3):
        reg(x)
    encoder.requires_grad_(True)
    z = encoder(x).detach()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(8):
            reg(x, z=z)
    assert ["z: expected codes with a gradient" in str(each.message) for each in caught] == [True]
