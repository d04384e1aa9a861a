"""Variational and vector-quantized autoencoders, each written out straight."""

import math

import pytest
import torch
from step_for_step import agree
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from wrapped import Scale, quantized, variational
from zoo import convolutional_pair, vector_pair

from interpreg import GaussianBottleneck, VAERegularizer, VectorQuantizer, VQVAERegularizer


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair])
@pytest.mark.parametrize(("preset", "beta"), [(None, 1.0), (None, 4.0), ("paper", 1.0)])
def test_the_vae_is_its_elbo_per_element(make_pair, preset: str | None, beta: float) -> None:
    network, decoder, x = make_pair()
    x = x.tanh()  # a Bernoulli's pixels are within [-1, 1]
    head = Scale()
    encoder = GaussianBottleneck(network, heads=(nn.Identity(), head))
    torch.manual_seed(7)
    mu = network(x)
    log_variance = head(mu)
    z = mu + torch.exp(log_variance / 2) * torch.randn(mu.shape)
    x_hat = decoder(z)
    pixels = x[0].numel()
    if preset is None:
        distance = ((x_hat - x) ** 2).sum()
    else:
        p, target = torch.sigmoid(x_hat), (x + 1) / 2
        distance = -(target * p.log() + (1 - target) * (1 - p).log()).sum()
    nats = -0.5 * (1 + log_variance - mu**2 - log_variance.exp()).sum()
    expected = {"reconstruction": distance / len(x) / pixels, "kl": beta * nats / len(x) / pixels}
    reg = VAERegularizer(encoder, decoder, weight=beta, preset=preset)
    agree(reg, x, expected, [*encoder.parameters(), *decoder.parameters()])


def test_with_bernoulli_the_sum_is_the_elbo_of_a_latent_variable_model() -> None:
    """One pixel of probability sigmoid(z): minus the ELBO is above -log p(x), and meets it at the exact posterior."""
    grid = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    density = torch.exp(-grid.square() / 2) / math.sqrt(2 * math.pi)
    evidence = -(torch.trapezoid(density * torch.sigmoid(grid), grid)).log()  # log 2, by symmetry
    torch.testing.assert_close(evidence, torch.tensor(math.log(2), dtype=torch.float64))
    encoder = GaussianBottleneck(lambda x: (0.4 * x, torch.full_like(x, 0.8).log()))
    reg = VAERegularizer(encoder, lambda z: z, reconstruction="bernoulli")
    bound = torch.stack([sum(reg(torch.ones(1000, 1).double()).values()) for _ in range(50)]).mean()
    exact = torch.trapezoid(
        torch.exp(-(grid - 0.4).square() / 1.6)
        / math.sqrt(1.6 * math.pi)
        * (binary_cross_entropy_with_logits(grid, torch.ones_like(grid), reduction="none")),
        grid,
    ) + 0.5 * (0.16 + 0.8 - 1 - math.log(0.8))
    assert abs(bound - exact) < 5 * 0.5 / math.sqrt(50000)
    assert evidence < exact < 1.1 * evidence


def test_a_loop_with_its_own_reconstruction_and_the_schedule_of_beta() -> None:
    network, decoder, x = vector_pair()
    reg = VAERegularizer(variational(network), decoder, reconstruction=None, preset="published")
    assert list(reg(x)) == ["kl"]
    reg["kl"].weight = torch.tensor(0.0)
    assert reg(x)["kl"] == 0
    assert reg.unweighted["kl"] > 0
    assert list(VAERegularizer(variational(network), decoder, reconstruction="l1")(x)) == ["reconstruction", "kl"]


@pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair])
@pytest.mark.parametrize(("options", "beta"), [({}, 0.25), ({"weight": 2.0}, 2.0), ({"preset": "paper"}, 10.0)])
@pytest.mark.parametrize("codes", ["quantized", "continuous"])
def test_the_vqvae_is_its_equation(make_pair, options: dict[str, object], beta: float, codes: str) -> None:
    network, decoder, x = make_pair()
    encoder = VectorQuantizer(network, dim=4, codebook_size=8, codes=codes, freeze_codebook=True)
    codebook = encoder.quantizer.codebook
    z = network(x)
    vectors = z.movedim(1, -1).reshape(-1, 4)
    chosen = torch.stack([(codebook - v).square().sum(1).argmin() for v in vectors])
    e = codebook[chosen].reshape(z.movedim(1, -1).shape).movedim(-1, 1)
    x_hat = decoder(z + (e - z).detach())
    expected = {"reconstruction": ((x_hat - x) ** 2).mean(), "commitment": beta * ((z - e.detach()) ** 2).mean()}
    behind = encoder.before(decoder) if codes == "continuous" else decoder
    reg = VQVAERegularizer(encoder, behind, **options)
    agree(reg, x, expected, [*network.parameters(), *decoder.parameters()])


def test_training_with_a_moving_codebook_continues_as_saved() -> None:
    network, decoder, x = vector_pair()
    encoder = quantized(network)
    reg = VQVAERegularizer(encoder, decoder)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)

    def step() -> float:
        loss = sum(reg(x).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    history = [step() for _ in range(100)]
    assert history[-1] < 0.8 * history[0]
    modules = nn.ModuleList([encoder, decoder, reg])
    saved = {name: value.clone() for name, value in modules.state_dict().items()}
    expected = [step(), step()]
    modules.load_state_dict(saved)
    assert [step(), step()] == expected
