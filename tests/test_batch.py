"""The shared forward pass: everything once, whoever asks first."""

from collections.abc import Callable

import pytest
import torch
from calls import calls
from torch import nn
from wrapped import quantized, variational
from zoo import Zoo, batch_norm_pair, vector_pair

import interpreg as ip
from interpreg import ACAIRegularizer, AlphaSmoothness, Batch, Interpolator, MIDRAERegularizer, Regularizer
from interpreg._types import Mix
from interpreg.priors import Normal


def test_everything_is_computed_once_and_when_asked_for(encoder, decoder, x) -> None:
    encoded, decoded = calls(encoder), calls(decoder)
    batch = Batch(x, encoder, decoder)
    assert (len(encoded), len(decoded)) == (0, 0)
    strategy = Interpolator(pairing="permutation")
    for _ in range(2):
        batch.z, batch.x_hat, batch.interpolants(), batch.interpolants(strategy), batch.reencoded(strategy)
    assert (len(encoded), len(decoded)) == (2, 3)


CALLED: dict[str, tuple[Callable[..., Regularizer], list[int]]] = {  # encoder, decoder and critic in a step
    "aae": (lambda e, d: ip.AAERegularizer(e, d, code_shape=e.code_shape), [1, 1, 3]),
    "gaia": (ip.GAIARegularizer, [1, 2, 5]),
    "gaia as published": (lambda e, d: ip.GAIARegularizer(e, d, preset="published"), [1, 2, 5]),
    "amr": (ip.AMRRegularizer, [1, 2, 5]),
    "amr with cycles": (lambda e, d: ip.AMRRegularizer(e, d, cycle_weight=0.1), [2, 2, 5]),
    "wae": (ip.WAERegularizer, [1, 1]),
    "vae": (lambda e, d: ip.VAERegularizer(variational(e), d), [1, 1]),
    "vqvae": (lambda e, d: ip.VQVAERegularizer(quantized(e), d), [1, 1]),
}


@pytest.mark.parametrize("make_pair", [vector_pair, batch_norm_pair])
@pytest.mark.parametrize("name", CALLED)
def test_networks_are_called_as_often_as_the_floor_says(name: str, make_pair: Callable[[], Zoo]) -> None:
    encoder, decoder, x = make_pair()
    make, expected = CALLED[name]
    reg = make(encoder, decoder)
    made = [calls(module) for module in (encoder, decoder, *([reg.critic] if len(expected) == 3 else []))]
    reg(x)
    assert [len(each) for each in made] == expected


def test_asking_for_reconstructions_draws_nothing(encoder, decoder, x) -> None:
    reg = MIDRAERegularizer(encoder, decoder)
    before = torch.get_rng_state()
    Batch(x, encoder, decoder, plan=reg.plan()).x_hat  # noqa: B018
    assert torch.equal(torch.get_rng_state(), before)


def test_given_reconstructions_are_not_decoded_again(encoder, decoder, x) -> None:
    z = encoder(x)
    x_hat = decoder(z)
    decoded = calls(decoder)
    batch = Batch(x, encoder, decoder, z=z, x_hat=x_hat)
    batch.interpolants(Interpolator())
    assert batch.x_hat is x_hat
    assert len(decoded) == 1


@pytest.mark.parametrize("first", ["derivative", "interpolants"])
def test_interpolants_are_decoded_once_whoever_asks_first(first: str, encoder, decoder, x) -> None:
    """The smoothness of MIDR-AE is that of the images that its critic judges."""
    reg = MIDRAERegularizer(encoder, decoder) + AlphaSmoothness(encoder, decoder, method="forward")
    batch = Batch(x, encoder, decoder, plan=reg.plan())
    decoded = calls(decoder)
    getattr(batch, first)()
    dx, mixed = batch.derivative(), batch.interpolants()
    assert mixed is batch.interpolants(reg["midrae"].game.interpolator)
    assert len(decoded) == 1
    partners = Mix(mixed.z_mix, mixed.alpha, batch.z.flip(0))
    step = 1e-3 * reg["midrae"].game.interpolator.direction(batch.z, partners)
    expected = (decoder(mixed.z_mix + step) - decoder(mixed.z_mix - step)) / 2e-3
    torch.testing.assert_close(dx, expected, rtol=1e-3, atol=1e-3)


def test_a_derivative_that_is_no_need_is_refused(encoder, decoder, x) -> None:
    with pytest.raises(ValueError, match=r"derivative: expected a need that declares it"):
        Batch(x, encoder, decoder).derivative()


def test_a_prior_is_sampled_once_for_all_who_ask_with_the_same_generator(encoder, decoder, x) -> None:
    batch, prior = Batch(x, encoder, decoder), Normal()
    first = batch.prior_samples(prior)
    assert first.shape == (6, 4)
    assert batch.prior_samples(prior) is first
    assert batch.prior_samples(Normal(0.0, 1.0)) is not first  # another prior, though its twin
    assert batch.prior_samples(prior, torch.Generator()) is not first


@pytest.mark.parametrize("size", [5, 7])
def test_a_decoder_that_loses_samples_is_named(size: int, encoder, decoder, x) -> None:
    batch = Batch(x, encoder, lambda z: decoder(z)[:1].expand(size, -1, -1, -1))
    with pytest.raises(ValueError, match=r"decoder: expected the shape of x, \(6, 1, 8, 8\), got"):
        batch.x_hat  # noqa: B018
    with pytest.raises(ValueError, match=r"decoder: expected the shape of x"):
        Batch(x, encoder, lambda z: decoder(z)[..., :-1]).interpolants()


def two(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.flatten(1)[:, :4], x


@pytest.mark.fault(
    "Data",
    "Integer images, reconstructions of another shape, codes of another batch.",
    now="an error that names the argument, before anything is changed",
)
@pytest.mark.parametrize(("encoder", "decoder", "x", "message"), [
    (None, None, torch.zeros(4, 1, 8, 8, dtype=torch.uint8), r"x: expected a floating point .*torch.uint8"),
    (None, None, [1.0, 2.0], r"x: expected a tensor, got a list of length 2"),
    (None, None, torch.tensor(1.0), r"x: expected a batch of shape \[B, ...\]"),
    (None, None, torch.zeros(0, 1, 8, 8), r"x: expected at least one sample"),
    (two, None, None, r"encoder: .* got a tuple of length 2; give a function .*encoder=lambda x: encoder\(x\)\[0\] or"),
    (lambda x: x.flatten(1).argmax(1), None, None, r"encoder: expected a floating point tensor"),
    (lambda x: x[:3], None, None, r"encoder: expected a batch of 6 samples, got .*\(3, 1, 8, 8\)"),
    (None, nn.Linear(4, 64), None, r"decoder: expected the shape of x, \(6, 1, 8, 8\), got .*\(6, 64\)"),
    (None, lambda z: (z, z), None, r"decoder: expected a tensor, got a tuple"),
])  # fmt: skip
def test_bad_input_is_named(pair: Zoo, encoder: object, decoder: object, x: object, message: str) -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    reg = ACAIRegularizer(encoder or pair.encoder, decoder or pair.decoder, critic=critic)
    with pytest.raises((TypeError, ValueError), match=message):
        reg(pair.x if x is None else x)
    assert reg.game.step == 0


@pytest.mark.parametrize(("given", "message"), [
    ({"z": torch.zeros(5, 4)}, r"z: expected a batch of 6 samples, got .*\(5, 4\)"),
    ({"z": torch.zeros(6, 4, dtype=torch.long)}, r"z: expected a floating point tensor"),
    ({"x_hat": torch.zeros(6, 64)}, r"x_hat: expected the shape of x"),
    ({"x_hat": torch.zeros(6, 3, 8, 8)}, r"x_hat: expected the shape of x"),
])  # fmt: skip
def test_given_codes_and_reconstructions_are_checked(pair: Zoo, given: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        ACAIRegularizer(pair.encoder, pair.decoder)(pair.x, **given)


@pytest.mark.fault(
    "Gradients",
    "A network changes its input in place, as by a first `ReLU(inplace=True)` or `x -= mean`: reconstructions are "
    "compared with the changed x, priors see the changed codes.",
    now="`ValueError` at the first call",
)
@pytest.mark.parametrize("role", ["encoder", "decoder", "critic"])
def test_networks_that_change_their_input_are_refused(role: str) -> None:
    changing = {"encoder": 8, "decoder": 3, "critic": 8}[role]
    networks = {"encoder": nn.Linear(8, 3), "decoder": nn.Linear(3, 8), "critic": nn.Linear(8, 1)}
    healthy = nn.Sequential(nn.ReLU(), networks[role])
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    ACAIRegularizer(**networks | {role: healthy})(x)
    networks[role] = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(changing, healthy[1].out_features))
    before = x.clone()
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match=rf"^{role}: expected its input as it was, .* x.clone\(\)"),
    ):
        ACAIRegularizer(**networks)(x.clone())
    cloned = {
        "encoder": lambda x: networks["encoder"](x.clone()),
        "decoder": lambda z: networks["decoder"](z.clone()),
    }
    if role in cloned:
        reg = ip.Reconstruction(**{k: v for k, v in networks.items() if k != "critic"} | {role: cloned[role]})
        plain = nn.functional.mse_loss(networks["decoder"](networks["encoder"](x.clone()).clone()), before)
        torch.testing.assert_close(reg(x)["reconstruction"], plain)
