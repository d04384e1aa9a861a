"""GAIA's two forms against their equations, written out step by step in plain torch; and how it mixes codes."""

import copy

import pytest
import torch
from calls import calls
from scipy import stats
from sequences import LENGTHS, Positions
from step_for_step import is_step_for_step
from torch import Tensor, nn
from zoo import Zoo, batch_norm_pair, convolutional_pair, token_pair, vector_pair

from interpreg import AutoencodingCritic, Batch, GAIARegularizer, Interpolator, PairwiseDistance
from interpreg.functional import distance_loss, gaia_autoencoder_loss, gaia_critic_loss, gaia_simple_critic_loss
from interpreg.regularizers.gaia_mixes import DirichletMix, HalfBatchMix


def codes(z: Tensor, mask: Tensor | None = None) -> Batch:
    """A batch with these codes."""
    return Batch(z, nn.Identity(), nn.Identity(), z=z, mask=mask)


PAIRS = pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, token_pair])


def straight_simple(pair: Zoo, critic: nn.Module) -> dict[str, Tensor]:
    """The rewrite: squares, chi-squared weights of the whole batch; drawn as Gamma(a + 1) U^(1/a), in float64."""
    x, n = pair.x, len(pair.x)
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    a = 1 / (2 * n)
    gamma = torch._standard_gamma((1 + a) * torch.ones(n, n)).double()
    chi = 2 * gamma * (1 - torch.rand(n, n).double()) ** (1 / a)
    weights = (chi / chi.sum(1, keepdim=True)).float()
    x_mix = pair.decoder(torch.einsum("ij,j...->i...", weights, z))

    def error(target: Tensor, image: Tensor) -> Tensor:
        return (target - critic(image)).square().mean()

    of_x, of_hat = error(x, x), error(x, x_hat.detach())
    of_mix = error(x_mix.detach(), x_mix.detach())
    return {
        "reconstructed": error(x, x_hat),
        "interpolation": error(x_mix, x_mix),
        "critic/real": of_x,
        "critic/reconstructed": of_hat,
        "critic/interpolation": -(of_mix if of_mix < of_x else of_x),
    }


def straight_published(pair: Zoo, critic: nn.Module, weight: float) -> dict[str, Tensor]:
    """The paper's code, on pixels in [0, 1]."""
    x, half = pair.x, len(pair.x) // 2
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    beta = (0.5 + 0.25 * torch.randn(2 * half)).view(-1, *[1] * (z.ndim - 1))
    first, second = z[:half], z[half : 2 * half]
    reverse = first.flip(0)
    group_1 = beta[:half] * first + (1 - beta[:half]) * second
    group_2 = beta[half:] * reverse + (1 - beta[half:]) * second
    x_mix = pair.decoder(torch.cat([group_1, group_2]))

    def error(target: Tensor, image: Tensor) -> Tensor:
        return ((target + 1) / 2 - (critic(image) + 1) / 2).abs().mean()

    r_g, r_i = error(x, x_hat), error(x_mix, x_mix)
    p_g = torch.sigmoid(20 * (r_i - r_g))
    generator = torch.clip(p_g * r_i + (1 - p_g) * r_g + weight * straight_distance(x, z), -1, 1)
    r_x, r_g, r_i = error(x, x), error(x, x_hat.detach()), error(x_mix.detach(), x_mix.detach())
    p_f = torch.clip(torch.sigmoid(20 * (0.5 * r_i - r_x)), 0, 0.9)
    return {"adversarial": generator, "critic/adversarial": torch.clip(r_x - p_f * (r_g + r_i) / 2, -1, 1)}


def straight_distance(x: Tensor, z: Tensor) -> Tensor:
    logs = []
    for values in (x.flatten(1), z.flatten(1)):
        d = (values[:, None] - values[None]).square().mean(-1)
        logs.append(torch.log(1 + d / d.mean()))
    return (logs[0] - logs[1]).square().mean()


@PAIRS
@pytest.mark.parametrize("batch_size", [6, 5, 2])
def test_the_simple_form_is_the_rewrite_step_for_step(make_pair, batch_size: int) -> None:
    pair = make_pair(batch_size)
    is_step_for_step(pair, GAIARegularizer(pair.encoder, pair.decoder), straight_simple)


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_both_sides_of_the_simple_forms_minimum(scale: float) -> None:
    """Interpolants that are copied better than the data, and worse."""
    pair = vector_pair()
    with torch.no_grad():
        pair.decoder[2].weight.mul_(scale), pair.decoder[2].bias.mul_(scale)
    reg = GAIARegularizer(pair.encoder, pair.decoder)
    is_step_for_step(pair, reg, straight_simple)
    assert (reg.game.errors.interpolation < reg.game.errors.real) == (scale < 1)


@PAIRS
@pytest.mark.parametrize("batch_size", [6, 5, 2])
def test_the_preset_is_the_papers_code_step_for_step(make_pair, batch_size: int) -> None:
    pair = make_pair(batch_size)
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published")
    assert reg.game.distance_weight == 5e-5
    is_step_for_step(pair, reg, lambda *nets: straight_published(*nets, 5e-5))


@pytest.mark.parametrize("weight", [0.0, 0.7])
@pytest.mark.parametrize("pixels", [0.2, 1.0])
def test_the_published_form_without_the_preset(weight: float, pixels: float) -> None:
    """A distance that weighs something; images of which the shares are in between, and clipped."""
    pair = vector_pair()
    pair = pair._replace(x=pixels * pair.x)
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published", distance_weight=weight)
    is_step_for_step(pair, reg, lambda *nets: straight_published(*nets, weight))


def test_clipped_losses_have_no_gradient(pair: Zoo) -> None:
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published", distance_weight=0.0)
    losses = reg(20 * pair.x)
    assert losses["adversarial"] == 1
    sum(losses.values()).backward()
    assert all((p.grad == 0).all() for p in [*pair.encoder.parameters(), *reg.parameters()])


def test_what_the_pure_losses_say_of_known_errors() -> None:
    """Numbers by hand: shares of 1/2 where errors agree; a share that is clipped at 0.9; clips at 1."""
    t = torch.tensor
    assert gaia_autoencoder_loss(t(0.3), t(0.3), 0.1).item() == pytest.approx(0.4)
    assert gaia_autoencoder_loss(t(0.5), t(10.0)) == 1
    assert gaia_critic_loss(t(0.0), t(0.2), t(0.8)).item() == pytest.approx(-0.9 * 0.5)
    assert gaia_critic_loss(t(9.0), t(0.2), t(0.8)) == 1
    r_x = t(0.5, requires_grad=True)
    r_i = t(2.0, requires_grad=True)
    loss = gaia_simple_critic_loss(r_x, t(0.25), r_i)
    assert loss == 0.25
    assert [g.item() for g in torch.autograd.grad(loss, [r_x, r_i])] == [0, 0]  # the data's error took both sides
    with pytest.raises(
        ValueError, match=r"of_data: expected a 0-dim tensor, got a torch.float32 tensor of shape \(2,"
    ):
        gaia_critic_loss(torch.ones(2), t(1.0), t(1.0))


def test_the_balance_of_learning_rates(pair: Zoo) -> None:
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset="published").game
    reg(pair.x)
    r_x, r_g, r_i = reg.errors
    expected = torch.sigmoid(20 * (r_x - (r_g + r_i) / 2))
    torch.testing.assert_close(reg.balance.critic, expected)
    torch.testing.assert_close(reg.balance.autoencoder, 1 - expected)
    assert not any(t.requires_grad for t in [*reg.balance, *reg.errors])
    optimizer = torch.optim.Adam(reg.parameters(), lr=torch.tensor(1e-4), capturable=False, foreach=False)
    optimizer.param_groups[0]["lr"] = 1e-4 * float(reg.balance.critic)  # as its docstring says
    optimizer.step()
    simple = GAIARegularizer(pair.encoder, pair.decoder).game
    simple(pair.x)
    assert simple.balance is None


@pytest.mark.parametrize("make_pair", [vector_pair, batch_norm_pair])
@pytest.mark.parametrize("preset", [None, "published"])
def test_how_often_networks_are_called(make_pair, preset: str | None) -> None:
    pair = make_pair()
    reg = GAIARegularizer(pair.encoder, pair.decoder, preset=preset)
    made = [calls(module) for module in (pair.encoder, pair.decoder, reg.critic)]
    reg(pair.x)
    assert [len(each) for each in made] == [1, 2, 5]


def test_a_given_interpolator_mixes(pair: Zoo) -> None:
    interpolator = Interpolator(kind="spherical")
    reg = GAIARegularizer(pair.encoder, pair.decoder, interpolator=interpolator, reconstruction="l1", weight=0.5)
    assert reg.game.interpolator is interpolator
    assert GAIARegularizer(pair.encoder, pair.decoder).game.interpolator is None
    torch.manual_seed(1)
    losses = reg(pair.x)
    assert next(iter(losses)) == "reconstruction"
    torch.manual_seed(1)
    x_mix = pair.decoder(interpolator.mix(pair.encoder(pair.x)))
    expected = (x_mix - reg.critic(x_mix)).square().mean()
    torch.testing.assert_close(losses["interpolation"], 0.5 * expected)


# how codes are mixed


def test_weights_of_a_whole_batch_are_the_dirichlets() -> None:
    """B = 64, where most chi-squared draws are smaller than any float32."""
    count = 64
    a = 1 / (2 * count)
    weights = torch.cat([DirichletMix().weights(count, torch.zeros(1)) for _ in range(60)])
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    # Dirichlet(a, ..., a): E sum w^2 = (a + 1) / (B a + 1)
    squares = weights.square().sum(1)
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - (a + 1) / (count * a + 1)) < 4 * error
    chi = stats.chi2(1 / 2).rvs((20_000, 2), random_state=0)  # two draws, as B = 2: enough for no underflow
    own = torch.cat([DirichletMix().weights(2, torch.zeros(1))[:, 0] for _ in range(2_000)])
    assert stats.ks_2samp(own.numpy(), chi[:, 0] / chi.sum(1)).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_whole_batches_are_mixed_convexly(dtype: torch.dtype) -> None:
    z = torch.eye(40, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = DirichletMix().mixed(codes(z))
    assert mixed.z_mix.dtype == dtype
    assert mixed.alpha.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(1 - mixed.alpha[:, 0], mixed.z_mix.amax(1).to(mixed.alpha.dtype), rtol=4e-3, atol=0)
    digits = 1e-2 if dtype == torch.bfloat16 else 1e-6  # autocast takes none of them
    torch.testing.assert_close(mixed.z_mix.sum(1).float(), torch.ones(40), rtol=digits, atol=0)


def test_masks_of_mixed_codes_are_of_all_whose_codes_are_in_them() -> None:
    mask, z = torch.arange(5) < torch.tensor(LENGTHS)[:, None], torch.randn(4, 5, 2)
    assert torch.equal(DirichletMix().mixed(codes(z, mask)).mask, torch.ones(4, 5, dtype=torch.bool))
    assert torch.equal(DirichletMix().mixed(codes(z[1:], mask[1:])).mask.sum(1), torch.tensor([4, 4, 4]))
    assert torch.equal(HalfBatchMix().mixed(codes(z, mask)).mask.sum(1), torch.tensor([5, 4, 3, 5]))


@pytest.mark.parametrize("count", [2, 6, 7])
def test_halves_are_paired_as_published(count: int) -> None:
    z = torch.randn(count, 3, 2)
    mixed = HalfBatchMix().mixed(codes(z))
    half = count // 2
    partners = [*range(half, 2 * half), *reversed(range(half))]
    torch.testing.assert_close(mixed.z_partner, z[partners])
    torch.testing.assert_close(
        mixed.z_mix, mixed.alpha * z[: 2 * half] + (1 - mixed.alpha) * z[partners]
    )  # an odd batch's last sample is left out


def test_halves_have_normal_coefficients_that_go_beyond_the_ends() -> None:
    alpha = HalfBatchMix().mixed(codes(torch.zeros(40_000, 1))).alpha.flatten()
    assert stats.kstest(alpha.numpy(), stats.norm(0.5, 0.25).cdf).pvalue > 1e-3
    beyond = ((alpha < 0) | (alpha > 1)).float().mean()
    assert beyond.item() == pytest.approx(2 * stats.norm.cdf(-2), abs=0.004)


@pytest.mark.parametrize("source", [DirichletMix, HalfBatchMix])
def test_a_generator_makes_the_draws_the_callers(source) -> None:
    z, state = torch.randn(6, 3), torch.get_rng_state()
    one, other = (source(torch.Generator().manual_seed(3)).mixed(codes(z)).z_mix for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("form", ["simple", "published"])
def test_padding_has_no_say(form: str) -> None:
    encoder, decoder, critic = Positions(3, 2), Positions(2, 3), Positions(3, 3)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    x = torch.randn(4, 5, 3)
    # mixed codes are valid where either is, so codes are zeroed elsewhere, as an encoder of sequences would
    reg = GAIARegularizer(_Zeroed(encoder), decoder, critic=critic, preset=None if form == "simple" else form)
    reg.game.distance_weight = 0.5 if form == "published" else 0.0
    wild = torch.where(mask[..., None], x, torch.full_like(x, 1e3))
    torch.manual_seed(1)
    expected = reg(x, mask=mask)
    torch.manual_seed(1)
    torch.testing.assert_close(reg(wild, mask=mask), expected)


class _Zeroed(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask[..., None], self.network(x, mask), 0)


# distances


@PAIRS
def test_distances_are_their_formula_with_its_gradient(make_pair) -> None:
    pair = make_pair()
    twin = copy.deepcopy(pair.encoder)
    reg = PairwiseDistance(pair.encoder, pair.decoder, weight=0.3)
    loss = reg(pair.x)["distance"]
    expected = 0.3 * straight_distance(pair.x, twin(pair.x))
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    for p, q in zip(pair.encoder.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=2e-5, atol=1e-6)


def test_distances_of_codes_that_are_far_away_collapsed_or_half_precise() -> None:
    x, z = torch.randn(6, 5), torch.randn(6, 3, requires_grad=True)
    torch.testing.assert_close(distance_loss(x + 1000, z + 1000), straight_distance(x, z), rtol=1e-3, atol=0)
    collapsed = torch.zeros(6, 3, requires_grad=True)
    loss = distance_loss(x, collapsed)
    loss.backward()
    assert loss.isfinite()
    assert collapsed.grad.isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(distance_loss(x, z), straight_distance(x, z).float())


def test_distances_of_sequences_are_those_of_shared_positions() -> None:
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    x, z = torch.randn(4, 5, 3), torch.randn(4, 5, 2)
    logs = []
    for values in (x, z):
        d = torch.zeros(4, 4)
        for i in range(4):
            for j in range(4):
                both = mask[i] & mask[j]
                d[i, j] = (values[i][both] - values[j][both]).square().mean()
        logs.append(torch.log(1 + d / d.mean()))
    torch.testing.assert_close(distance_loss(x, z, mask), (logs[0] - logs[1]).square().mean())


# what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "code"}, r"preset: expected one of None, 'published', 'paper', got 'code'"),
        (
            {"distance_weight": 0.1},
            r"distance_weight: expected 0 for form='simple', got 0.1; add PairwiseDistance",
        ),
        ({"interpolator": Interpolator(), "generator": torch.Generator()}, r"generator: expected None beside"),
        ({"interpolator": "linear"}, r"interpolator: expected an Interpolator, got 'linear'"),
        ({"critic": lambda x: x}, r"critic: expected an nn.Module to train"),
        ({"weight": -1}, r"weight: expected a finite number of at least 0, got -1"),
        ({"reconstruction": "mae"}, r"reconstruction loss: expected one of"),
    ],
)
def test_bad_arguments_are_named(pair: Zoo, arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        GAIARegularizer(pair.encoder, pair.decoder, **arguments)


def test_bad_batches_networks_and_decoders_are_named(pair: Zoo) -> None:
    with pytest.raises(ValueError, match=r"form: expected one of 'simple', 'published', got 'fancy'"):
        AutoencodingCritic(pair.encoder, pair.decoder, form="fancy")
    for preset in (None, "published"):
        with pytest.raises(
            ValueError, match=r"x: expected at least 2 samples to mix with each other, got a batch of 1"
        ):
            GAIARegularizer(pair.encoder, pair.decoder, preset=preset)(pair.x[:1])
    with pytest.raises(ValueError, match=r"x: expected at least 2 samples to have distances, got a batch of 1"):
        PairwiseDistance(pair.encoder, pair.decoder)(pair.x[:1])
    with pytest.raises(ValueError, match=r"critic: expected the shape of the images that it copies"):
        AutoencodingCritic(pair.encoder, pair.decoder, nn.Sequential(nn.Flatten(), nn.Linear(64, 8)))(pair.x)
    with pytest.raises(ValueError, match=r"no fresh copy of the decoder can be made: it has no parameters"):
        AutoencodingCritic(pair.encoder, nn.Identity())
