"""Padded sequences: what is not valid has no say in any loss."""

import pytest
import torch
from sequences import LENGTHS, Positions, Sequences

from interpreg import Critic, Interpolator, MMDPrior, Reconstruction
from interpreg.recipes import ACAIRegularizer, MIAERegularizer, MIDRAERegularizer

REGULARIZERS = {
    "acai": ACAIRegularizer,
    "miae": lambda e, d, **k: MIAERegularizer(e, d, **k),
    "hinge": lambda e, d, **k: Critic(e, d, loss="hinge", **k),
    "l1": lambda e, d, **k: Reconstruction(e, d, loss="l1"),
    "midrae": lambda e, d, **k: MIDRAERegularizer(e, d, **k),
    "mmd": lambda e, d, **k: MMDPrior(e, d),
}


@pytest.mark.parametrize("name", REGULARIZERS)
def test_padding_has_no_say(name: str, sequences: Sequences) -> None:
    """Other values in the padding, the same losses; with partners of the same length, whose mixes have no more."""
    encoder, decoder, x, mask = sequences
    mask = torch.arange(5) < torch.tensor([3, 2, 2, 3])[:, None]  # reversed, the same
    critic = {} if name in ("l1", "mmd") else {"critic": Positions(3, 2)}
    reg = REGULARIZERS[name](encoder, decoder, **critic)
    losses = []
    for noise in (0.0, 100.0):
        torch.manual_seed(2)
        losses.append(reg(x + noise * torch.randn_like(x) * ~mask[..., None], mask=mask))
    for key, value in losses[0].items():
        torch.testing.assert_close(losses[1][key], value)


def test_acai_of_padded_sequences_is_acai_of_each_alone(sequences: Sequences) -> None:
    """Written out over the valid positions of each sequence, for the union of two where they are mixed."""
    encoder, decoder, x, mask = sequences
    critic = Positions(3, 2)
    reg = ACAIRegularizer(encoder, decoder, critic=critic)
    torch.manual_seed(4)
    ours = reg(x, mask=mask)
    torch.manual_seed(4)
    alpha = 0.5 - (torch.rand(4) - 0.5).abs()
    z = encoder.layers(x)
    x_hat = decoder.layers(z)
    judged, real, squares = [], [], []
    for i in range(4):
        both = max(LENGTHS[i], LENGTHS[3 - i])
        x_mix = decoder.layers(alpha[i] * z[i, :both] + (1 - alpha[i]) * z[3 - i, :both])
        judged.append(critic.layers(x_mix).mean())
        own = slice(LENGTHS[i])
        real.append(critic.layers(0.2 * x[i, own] + 0.8 * x_hat[i, own]).mean())
        squares.append((x_hat[i, own] - x[i, own]).square().flatten())
    judged, real = torch.stack(judged), torch.stack(real)
    torch.testing.assert_close(ours["reconstruction"], torch.cat(squares).mean())
    torch.testing.assert_close(ours["interpolation"], 0.5 * judged.square().mean())
    torch.testing.assert_close(ours["critic/interpolation"], (judged - alpha).square().mean())
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
