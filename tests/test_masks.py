"""Padded sequences: what is not valid has no influence on any loss."""

import copy
import math

import everyone
import pytest
import torch
from calls import seeded
from everyone import REGULARIZERS
from sequences import LENGTHS, NETWORKS, Convolving, Positions, Sequences, valid
from torch import Tensor, nn

from interpreg import (
    ACAIRegularizer,
    AutoencodingCritic,
    Critic,
    Interpolator,
    Reconstruction,
    VectorQuantizer,
)


def padded_pair(networks: str) -> tuple[nn.Module, nn.Module, bool]:
    """An encoder and a decoder, and whether its codes are vectors."""
    into, out = NETWORKS[networks]
    return into(3, 2), out(2, 3), networks == "a vector"


def gradients_of(losses: dict[str, Tensor], trained: list[Tensor]) -> list[Tensor]:
    gradients = torch.autograd.grad(sum(losses.values()), trained, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


FILLS = (0.0, 50.0, math.nan, math.inf)


def filled(values: Tensor, mask: Tensor, fill: float) -> Tensor:
    return torch.where(mask.view(*mask.shape, *[1] * (values.ndim - 2)), values, fill)


@pytest.mark.fault(
    "Padding",
    "The values in the padding of sequences change a loss, by a mix of a code with another one's padding, a divergence "
    "from a prior, noise, or a layer that reads it.",
    now="they change none, whatever they are, nor any gradient, for partners of any lengths",
)
@pytest.mark.filterwarnings("ignore:AlphaSmoothness uses method='double-backward':UserWarning")  # of a GRU
@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("name", REGULARIZERS)
def test_padding_has_no_influence(name: str, networks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partners of unequal lengths; x and, in a second call, codes and reconstructions from the loop."""
    encoder, decoder, is_vector = padded_pair(networks)
    monkeypatch.setattr(everyone, "shape", lambda _: (2,) if is_vector else (None, 2))
    monkeypatch.setattr(
        everyone, "quantized", lambda e, **k: VectorQuantizer(e, dim=2, codebook_size=4, axis=-1, **k)
    )
    mask, x = valid(), torch.randn(4, 5, 3).tanh()
    reg = REGULARIZERS[name](encoder, decoder)
    if is_vector and any(isinstance(module, AutoencodingCritic) for module in reg.modules()):
        pytest.skip("a copier of vectors cannot be unrolled by a copy")
    modules = nn.ModuleList([reg, reg.encoder])
    state = copy.deepcopy(modules.state_dict())
    trained = [*encoder.parameters(), *decoder.parameters(), *reg.parameters()]
    results = []
    for fill in FILLS:
        modules.load_state_dict(state)
        torch.manual_seed(2)
        losses = reg(filled(x, mask, fill), mask=mask)
        results.append([*losses.values(), *gradients_of(losses, trained)])
    assert all(loss.isfinite() for loss in losses.values())
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_padding_of_codes_and_reconstructions_from_the_loop_has_no_influence(name: str) -> None:
    if "va" in name or "vq" in name:
        pytest.skip("a bottleneck's codes are its own")
    encoder, decoder, _ = padded_pair("attention")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(everyone, "shape", lambda _: (None, 2))
        reg = REGULARIZERS[name](encoder, decoder).eval()
    mask, x = valid(), torch.randn(4, 5, 3).tanh()
    z = encoder(x, mask)
    x_hat = decoder(z, mask)
    results = []
    for fill in FILLS:
        torch.manual_seed(2)
        losses = reg(x, z=filled(z, mask, fill), x_hat=filled(x_hat, mask, fill), mask=mask)
        results.append(losses)
    assert all(result == results[0] for result in results)


def test_acai_of_padded_sequences_is_acai_of_each_alone(sequences: Sequences) -> None:
    """Written out over the valid positions of each sequence; a mix goes on as the longer one where the other ends."""
    encoder, decoder, x, mask = sequences
    critic = Positions(3, 2)
    reg = ACAIRegularizer(encoder, decoder, critic=critic)
    torch.manual_seed(4)
    ours = reg(x, mask=mask)
    torch.manual_seed(4)
    alpha = 0.5 - (torch.rand(4) - 0.5).abs()
    z = encoder.layers(x)
    x_hat = decoder.layers(z)
    judged, real, squares, target = [], [], [], []
    for i in range(4):
        both, longer = min(LENGTHS[i], LENGTHS[3 - i]), max(i, 3 - i, key=lambda row: LENGTHS[row])
        rest = z[longer, both : LENGTHS[longer]]
        x_mix = decoder.layers(torch.cat([alpha[i] * z[i, :both] + (1 - alpha[i]) * z[3 - i, :both], rest]))
        target.append(alpha[i] * both / LENGTHS[longer])  # nothing is mixed in the rest
        judged.append(critic.layers(x_mix).mean())
        own = slice(LENGTHS[i])
        real.append(critic.layers(0.2 * x[i, own] + 0.8 * x_hat[i, own]).mean())
        squares.append((x_hat[i, own] - x[i, own]).square().flatten())
    judged, real, target = torch.stack(judged), torch.stack(real), torch.stack(target)
    torch.testing.assert_close(ours["reconstruction"], torch.cat(squares).mean())
    torch.testing.assert_close(ours["interpolation"], 0.5 * judged.square().mean())
    torch.testing.assert_close(ours["critic/interpolation"], (judged - target).square().mean())
    torch.testing.assert_close(ours["critic/real"], real.square().mean())


def test_networks_are_called_with_the_mask_of_what_they_are_given(sequences: Sequences) -> None:
    encoder, decoder, x, mask = sequences
    either = mask | mask.flip(0)
    critic = Positions(3, 2)
    ACAIRegularizer(encoder, decoder, critic=critic)(x, mask=mask)
    assert [m.equal(mask) for m in encoder.masks] == [True]
    assert [m.equal(expected) for m, expected in zip(decoder.masks, [mask, either], strict=True)] == [True] * 2
    assert [m.equal(e) for m, e in zip(critic.masks, [either, either, mask], strict=True)] == [True] * 3


@pytest.mark.parametrize(("mask", "message"), [
    (torch.ones(4, 5), r"mask: expected a boolean tensor, True where valid, got a torch.float32 tensor"),
    ([[True]], r"mask: expected a boolean tensor, True where valid, got a list of length 1"),
    (torch.ones(4, dtype=torch.bool), r"mask: expected shape \[B, T\], got"),
    (torch.ones(3, 5, dtype=torch.bool), r"mask: expected a batch of 4 samples, got"),
])  # fmt: skip
def test_bad_masks_are_named(sequences: Sequences, mask: object, message: str) -> None:
    reg = Reconstruction(sequences.encoder, sequences.decoder)
    with pytest.raises((TypeError, ValueError), match=message):
        reg(sequences.x, mask=mask)


def test_a_mask_and_partners_of_which_nobody_knows_where_they_are_valid(sequences: Sequences) -> None:
    encoder, decoder, x, mask = sequences
    interpolator = Interpolator(pairing=lambda z: z.roll(1, 0))
    reg = Critic(encoder, decoder, Positions(3, 2), interpolator=interpolator)
    with pytest.raises(ValueError, match=r"pairing: expected a name beside a mask, got a callable"):
        reg(x, mask=mask)


@pytest.mark.parametrize(
    "name", ["mmd", "mmd sampled", "mmd median", "sinkhorn", "sparse", "acai", "midrae", "aeai", "gaia"]
)
@pytest.mark.parametrize("count", [0, 1])
def test_batches_of_almost_nothing_but_padding_have_losses_and_gradients(name: str, count: int) -> None:
    encoder, decoder = Positions(3, 2), Positions(2, 3)
    reg = REGULARIZERS[name](encoder, decoder)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[0, :count] = True
    losses = reg(torch.randn(4, 5, 3), mask=mask)
    gradients = gradients_of(losses, [*encoder.parameters(), *decoder.parameters(), *reg.parameters()])
    assert all(value.isfinite().all() for value in [*losses.values(), *gradients])


@pytest.mark.parametrize("name", ["acai", "midrae", "convex", "gaia", "mmd median", "aae"])
def test_masks_are_traced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With lengths and batches of two sizes; as eager's."""
    monkeypatch.setattr(everyone, "shape", lambda _: (None, 2))
    encoder, decoder = Convolving(3, 2), Convolving(2, 3)
    reg = REGULARIZERS[name](encoder, decoder)
    compiled = torch.compile(reg, fullgraph=True, backend="eager")
    for size, length in ((4, 5), (6, 7)):
        x, mask = torch.randn(size, length, 3), torch.arange(length) < torch.randint(1, length, (size, 1))
        expected, ours = (seeded(call, x, mask=mask) for call in (reg, compiled))
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)
