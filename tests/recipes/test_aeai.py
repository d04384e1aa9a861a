"""AEAI against its paper's equation 1, written out step by step in plain torch."""

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from zoo import Zoo, convolutional_pair, vector_pair

from interpreg import ACAIRegularizer, AEAIRegularizer, Interpolator


class PlainNorm(nn.Module):
    """Batch normalisation in training mode as its paper has it; of torch's own, the derivative's gradient is wrong."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        normalised = (x - mean) / (variance + 1e-5).sqrt()
        return normalised * self.scale[:, None, None] + self.shift[:, None, None]


def normalised_pair() -> tuple[Zoo, nn.Module]:
    """A pair with batch normalisation, and its decoder with the plain one, which shares its parameters."""
    encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Tanh(), nn.Conv2d(8, 4, 3, 2, 1))
    decoder = nn.Sequential(
        nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.Tanh(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
    )
    norm = PlainNorm(8)
    norm.scale, norm.shift = decoder[1].weight, decoder[1].bias
    return Zoo(encoder, decoder, torch.randn(6, 1, 8, 8)), nn.Sequential(decoder[0], norm, decoder[2], decoder[3])


def straight_aeai(
    encoder: nn.Module, decoder: nn.Module, critic: nn.Module, x: Tensor, grid: int | None
) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """Eq. 1 for as many pairs as samples, and both players' gradients."""
    count = len(x)
    x_hat = decoder(encoder(x))
    cycle = torch.rand(count).argsort()
    partner = torch.empty(count, dtype=torch.long)
    partner[cycle] = cycle.roll(-1)
    points = [torch.full((count,), n / (grid - 1)) for n in range(grid)] if grid else [torch.rand(count)]
    z = encoder(x)
    z_i, z_j = z, z[partner]

    def logit(image: Tensor) -> Tensor:
        return critic(image).flatten(1).mean(1)

    def per_pair(values: Tensor) -> Tensor:
        return values.flatten(1).mean(1).reshape(len(points), count).sum(0)

    # every point of the grid in one batch, for batch statistics
    alphas = torch.cat(points).reshape(-1, *[1] * (z.dim() - 1)).requires_grad_()
    z_i, z_j = torch.cat([z_i] * len(points)), torch.cat([z_j] * len(points))
    z_mix = alphas * z_i + (1 - alphas) * z_j
    x_mix, dx = torch.autograd.functional.jvp(decoder, z_mix, z_i - z_j, create_graph=True)
    again = encoder(x_mix)
    errors = ((x - x_hat) ** 2).flatten(1).mean(1)
    real, fake = torch.ones(count * len(points)), torch.zeros(count * len(points))
    losses = {
        "reconstruction": (errors + errors[partner]).mean(),
        "interpolation": 1e-2 * per_pair(cross_entropy(logit(x_mix), real, reduction="none")[:, None]).mean(),
        "critic/interpolation": per_pair(
            cross_entropy(logit(x_mix.detach()), fake, reduction="none")[:, None]
        ).mean(),
        "critic/real": len(points) * cross_entropy(logit(x), torch.ones(count)),
        "cycle": 1e-2 * per_pair((z_mix - again) ** 2).mean(),
        "smoothness": 1e-1 * per_pair(dx**2).mean(),
    }
    own = sum(loss for name, loss in losses.items() if not name.startswith("critic/"))
    critics = losses["critic/interpolation"] + losses["critic/real"]
    pair = [*encoder.parameters(), *decoder.parameters()]
    return (
        losses,
        list(torch.autograd.grad(own, pair, retain_graph=True)),
        list(torch.autograd.grad(critics, list(critic.parameters()))),
    )


@pytest.mark.parametrize("grid", [None, 2, 4])
@pytest.mark.parametrize("name", ["vectors", "maps", "batch norm"])
def test_aeai_is_the_paper_step_for_step(name: str, grid: int | None) -> None:
    if name == "batch norm":
        (encoder, decoder, x), plain = normalised_pair()
    else:
        encoder, decoder, x = vector_pair() if name == "vectors" else convolutional_pair()
        plain = decoder
    encoder, decoder, plain, x = encoder.double(), decoder.double(), plain.double(), x.double()
    reg = AEAIRegularizer(encoder, decoder, grid=grid)
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(7)
        expected, own, critics = straight_aeai(encoder, plain, reg.critic, x, grid)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.manual_seed(7)
    losses = reg(x)
    sum(losses.values()).backward()
    assert list(losses) == list(expected)
    for key, loss in losses.items():
        torch.testing.assert_close(loss, expected[key], msg=lambda message, key=key: f"{key}: {message}")
    pair = [*encoder.parameters(), *plain.parameters()]
    torch.testing.assert_close([p.grad for p in pair], own)
    torch.testing.assert_close([p.grad for p in reg.critic.parameters()], critics)


def test_the_papers_defaults(pair: Zoo) -> None:
    reg = AEAIRegularizer(pair.encoder, pair.decoder)
    assert (reg.game.weight, reg["cycle"].weight, reg["smoothness"].weight) == (0.01, 0.01, 0.1)
    assert (reg.game.loss, reg.game.gamma, reg.game.critic_weight) == ("bce", 1.0, 1.0)
    assert reg.game.interpolator is reg["cycle"].interpolator is reg["smoothness"].interpolator
    strategy = reg.game.interpolator
    assert (strategy.kind, strategy.alpha_range, strategy.pairing) == ("linear", (0.0, 1.0), "permutation")


def test_weights_are_of_sums_over_the_grid(pair: Zoo) -> None:
    options = {"weight": 0.2, "cycle_weight": 0.3, "smoothness_weight": 0.4}
    for grid in ({"grid": 5}, {"interpolator": Interpolator(grid=5, pairing="permutation")}):
        reg = AEAIRegularizer(pair.encoder, pair.decoder, **options, **grid)
        ours = (reg.game.weight, reg["cycle"].weight, reg["smoothness"].weight, reg.game.critic_weight)
        assert ours == pytest.approx((1.0, 1.5, 2.0, 5.0))


@pytest.mark.parametrize("grid", [None, 3])
def test_the_networks_are_called_as_often_as_the_floor_says(zoo: Zoo, grid: int | None) -> None:
    reg = AEAIRegularizer(zoo.encoder, zoo.decoder, grid=grid)
    reg(zoo.x)  # when the method is found
    encoder, decoder, critic = calls(zoo.encoder), calls(zoo.decoder), calls(reg.critic)
    reg(zoo.x)
    assert (len(encoder), len(decoder), len(critic)) == (2, 2, 3)


def test_a_loop_with_its_own_reconstruction_and_other_terms(pair: Zoo) -> None:
    reg = AEAIRegularizer(pair.encoder, pair.decoder, reconstruction=None)
    assert "reconstruction" not in reg(pair.x)
    reg = reg + ACAIRegularizer(pair.encoder, pair.decoder, reconstruction=None)
    reg(pair.x)
    decoded = calls(pair.decoder)
    losses = reg(pair.x)
    assert len(decoded) == 3  # both recipes' interpolants, and the reconstructions that ACAI's critic sees
    assert {"cycle", "smoothness", "interpolation", "interpolation_2"} <= losses.keys()


def test_what_the_grid_does_not_go_with_is_refused(pair: Zoo) -> None:
    networks = (pair.encoder, pair.decoder)
    with pytest.raises(ValueError, match=r"grid: expected None beside an interpolator"):
        AEAIRegularizer(*networks, interpolator=Interpolator(), grid=3)
    with pytest.raises(ValueError, match=r"interpolator: expected one with a path from code to code"):
        AEAIRegularizer(*networks, interpolator=Interpolator(kind="bernoulli"))
