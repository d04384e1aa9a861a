"""Networks that would take a padding mask for something else are refused, with the lines that wrap them."""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from sequences import Attending, Positions, Tokens, valid
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim.swa_utils import AveragedModel

from interpreg import (
    ACAIRegularizer,
    AlphaSmoothness,
    CycleConsistency,
    DropoutBottleneck,
    GaussianBottleneck,
    KLPrior,
    LatentCritic,
    MMDPrior,
    PairwiseDistance,
    Reconstruction,
)
from interpreg._padding import check_takes_mask


class Grandchild(nn.TransformerEncoderLayer):
    """With torch's forward."""


class Named(nn.Module):
    """With a second argument of any name."""

    def __init__(self, forward: object) -> None:
        super().__init__()
        self.forward = forward


class Scripted(nn.Module):
    """Which torch.jit can read."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask[..., None]


def transformer(kind: type[nn.Module] = nn.TransformerEncoderLayer) -> nn.Module:
    return kind(4, 2, 8, dropout=0.0, batch_first=True)


TORCHS = {
    "transformer": (lambda: nn.TransformerEncoder(transformer(), 1, enable_nested_tensor=False), "'mask'"),
    "layer": (transformer, "'src_mask'"),
    "child": (lambda: transformer(Grandchild), "'src_mask'"),
    "gru": (lambda: nn.GRU(4, 4, batch_first=True), "'hx'"),
    "lstm": (lambda: nn.LSTM(4, 4, batch_first=True), "'hx'"),
    "attention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), "'key'"),
    "data parallel": (lambda: nn.DataParallel(transformer()), "'src_mask'"),
    "compiled": (lambda: torch.compile(transformer(), backend="eager"), "'src_mask'"),
    "compiled around": (lambda: nn.DataParallel(torch.compile(transformer(), backend="eager")), "'src_mask'"),
}  # fmt: skip


@pytest.mark.fault(
    "Padding",
    "A padding mask given to one of torch's layers lands in its attention's mask, or in its state.",
    now="the layer is refused before it runs, with the two lines that wrap it",
)
@pytest.mark.parametrize("name", TORCHS)
def test_torchs_layers_are_refused(name: str) -> None:
    make, second = TORCHS[name]
    network, ran = make(), []
    network.register_forward_pre_hook(lambda *_: ran.append(1))
    x = torch.randn(5, 5, 4)  # as many samples as positions, where torch would notice nothing
    for reg in (MMDPrior(network, nn.Linear(4, 4)), MMDPrior(DropoutBottleneck(network), nn.Linear(4, 4))):
        with pytest.raises(
            TypeError, match=rf"^encoder: .* whose second argument, {second}, is no padding mask; wrap it"
        ):
            reg(x, mask=torch.ones(5, 5, dtype=torch.bool))
    assert not ran
    with pytest.raises(TypeError, match=r"^decoder: expected a network of a value and its padding mask"):
        ACAIRegularizer(Tokens(4, 4), network)(x, mask=torch.ones(5, 5, dtype=torch.bool))


def test_torchs_layers_are_refused_in_compiled_code_and_others_are_traced() -> None:
    x, mask = torch.randn(5, 5, 4), torch.ones(5, 5, dtype=torch.bool)
    good = torch.compile(MMDPrior(Tokens(4, 4), Tokens(4, 4)), fullgraph=True, backend="eager")
    assert good(x, mask=mask)["mmd"].isfinite()
    with pytest.raises(Exception, match="expected a network of a value and its padding mask"):
        torch.compile(MMDPrior(transformer(), nn.Linear(4, 4)), backend="eager")(x, mask=mask)


def test_layers_of_one_value_are_refused() -> None:
    for network in (nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 4)):
        with pytest.raises(
            TypeError, match=r"which takes no mask; wrap it \(if it computes every position alone\)"
        ):
            check_takes_mask("encoder", network)
    with pytest.raises(TypeError, match=r"got a function that takes no mask; wrap it in a function or module of"):
        check_takes_mask("encoder", lambda x: x)


@pytest.mark.parametrize("name", ["transformer", "layer", "gru", "attention"])
def test_the_lines_of_the_message_make_a_network_that_padding_does_not_influence(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_takes_mask("encoder", TORCHS[name][0]())
    lines = re.sub(r"^    ", "", str(caught.value).split("\n\n")[1], flags=re.MULTILINE)
    scope = {"nn": nn, "pack_padded_sequence": pack_padded_sequence, "pad_packed_sequence": pad_packed_sequence}
    exec(lines, scope)
    arguments = {
        "transformer": ((transformer(), 1), {"enable_nested_tensor": False}),
        "layer": ((4, 2, 8), {"dropout": 0.0, "batch_first": True}),
        "gru": ((4, 4), {"batch_first": True}),
        "attention": ((4, 2), {"batch_first": True}),
    }[name]
    network, mask, x = scope["Encoder"](*arguments[0], **arguments[1]), valid(), torch.randn(4, 5, 4)
    check_takes_mask("encoder", network)
    one, other = (network(x.where(mask[..., None], fill), mask) for fill in (0.0, 50.0))
    torch.testing.assert_close(one[mask], other[mask])


@pytest.mark.parametrize("forward", [
    lambda x, hx: x, lambda x, attn_mask=None: x, lambda x, memory: x, lambda x, labels: x, lambda x, y=None: x,
    lambda x, src_key_padding_mask=None: x, lambda x, key_padding_mask: x, lambda x, return_features=False: x,
    lambda x, dropout=0.1: x, lambda x, mode="train": x, lambda x, t: x, lambda x, lengths: x,
    lambda x, output_size=None: x, lambda x, past_key_values=None: x, lambda x, bool_masked_pos=None: x,
    lambda x, padding_mask: x, lambda x, src_pad_mask: x, lambda x, edge_index: x, lambda x, emb: x, lambda x, w: x,
    transformer().forward, nn.ConvTranspose1d(4, 4, 2).forward,
    torch.compile(transformer().forward, backend="eager"),
])  # fmt: skip
def test_second_arguments_with_telling_names_are_refused(forward) -> None:
    for network in (forward, Named(forward), partial(forward)):
        with pytest.raises(
            TypeError, match=r"^critic: .* whose second argument, '.*', is no mask of valid positions"
        ):
            check_takes_mask("critic", network)


@pytest.mark.parametrize("network", [
    Positions(4, 4), Attending(4, 4), Attending(4, 4).forward, lambda x, mask: x, lambda x, m: x, lambda *of: of[0],
    lambda x, attention_mask=None: x, lambda x, _: x, lambda x, non_pad_mask: x,
    partial(lambda z, x, mask: x, None), Scripted(),
    nn.DataParallel(Positions(4, 4)), torch.compile(Positions(4, 4), backend="eager"),
    DropoutBottleneck(Positions(4, 4)),
])  # fmt: skip
def test_networks_of_a_value_and_a_mask_pass(network) -> None:
    for _ in range(2):
        check_takes_mask("encoder", network)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")
def test_a_scripted_network_passes() -> None:
    check_takes_mask("encoder", torch.jit.script(Scripted()))


def test_a_mask_of_another_axis_is_refused(sequences) -> None:
    encoder, decoder, x, mask = sequences
    with pytest.raises(
        ValueError, match=r"mask: expected the first two axes of x, \(4, 3\), .*x.transpose\(1, 2\)"
    ):
        MMDPrior(encoder, decoder)(x.transpose(1, 2), mask=mask)
    assert not encoder.masks


@pytest.mark.parametrize("fill", [50.0, math.nan])
def test_signals_of_one_number_a_position_are_those_with_an_axis_for_it(fill: float) -> None:
    """Their padding has no influence either, and does not count."""
    encoder, decoder, mask = Positions(1, 2), Positions(2, 1), valid()
    flat = (lambda x, mask: encoder(x.unsqueeze(-1), mask)), (lambda z, mask: decoder(z, mask).squeeze(-1))
    x = torch.randn(4, 5, 1)
    for kind in (Reconstruction, PairwiseDistance, MMDPrior, CycleConsistency, AlphaSmoothness):
        expected, ours = kind(encoder, decoder), kind(*flat)
        torch.manual_seed(1)
        losses = expected(x, mask=mask)
        torch.manual_seed(1)
        torch.testing.assert_close(ours(x.where(mask[..., None], fill).squeeze(-1), mask=mask), losses)


def test_what_networks_get_and_return_is_0_in_padding(sequences) -> None:
    encoder, decoder, x, mask = sequences
    seen: list[Tensor] = []
    for network in (encoder, decoder):
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    ACAIRegularizer(encoder, decoder, critic=Positions(3, 2))(x, mask=mask)
    assert len(seen) == 3
    assert all((value[~valid] == 0).all() for value, valid in seen)


class Handing(nn.Module):
    """Hands the mask to a layer of torch's, as the function says."""

    def __init__(self, call: Callable[..., Tensor], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.call, self.layer = call, layer or transformer()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.call(self.layer, x, mask)


class Wrapper(nn.Module):
    """Hands on all that it is given."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


@pytest.mark.fault(
    "Padding",
    "A module, a wrapper or a lambda gives the mask, as it is, to a layer of torch's inside: in place of its inverse, "
    "or to another argument.",
    now="`TypeError` at the first call, with the argument to give",
)
@pytest.mark.parametrize(("make", "argument"), [
    (lambda: Handing(lambda layer, x, m: layer(x, src_key_padding_mask=m)), "src_key_padding_mask"),
    (lambda: Handing(lambda layer, x, m: layer(x, m)), "src_mask"),
    (lambda: Handing(lambda layer, x, m: layer(x, x, x, m)[0], nn.MultiheadAttention(4, 2)), "key_padding_mask"),
    (lambda: Wrapper(transformer()), "src_mask"),
    (lambda: AveragedModel(transformer()), "src_mask"),
    (lambda: transformer().__call__, "src_mask"),
    (lambda: DropoutBottleneck(Wrapper(transformer())), "src_mask"),
    (lambda: (lambda layer: lambda *of: layer(*of))(transformer()), "src_mask"),
])  # fmt: skip
def test_masks_that_reach_a_layer_of_torchs_as_they_are(make, argument: str) -> None:
    x, mask = torch.randn(5, 5, 4), valid()[[0, 1, 2, 3, 0]]  # as many samples as positions
    reg, network = MMDPrior(make(), nn.Linear(4, 4)), make()
    for _ in range(2):
        with pytest.raises(TypeError, match=rf"^encoder: .* got it as '{argument}' of the .* inside, .*=~mask$"):
            reg(x, mask=mask)
    with pytest.raises(TypeError, match=r"^decoder: .* got it as"):
        Reconstruction(Tokens(4, 4), network)(x, mask=mask)


def test_layers_are_watched_once_and_left_without_hooks() -> None:
    network = Attending(4, 4)
    for _ in range(2):
        MMDPrior(network, nn.Linear(4, 4))(torch.randn(4, 5, 4), mask=valid())
        assert not any(module._forward_pre_hooks for module in network.modules())


class Strided(nn.Module):
    """One value for every two positions."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.layer = nn.Conv1d(size_in, size_out, 2, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layer(x.mT).mT


class Channels(Tokens):
    """Channels before positions."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x).mT


@pytest.mark.fault(
    "Padding",
    "Codes or judgements are [B, T / 2, D] behind a stride, or [B, D, T]: the mask does not say what is padding, and "
    "padding counts.",
    now="`ValueError` with the ways to write it",
)
@pytest.mark.parametrize("kind", [Strided, Channels])
def test_codes_and_judgements_without_the_masks_positions_are_refused(kind: type[nn.Module]) -> None:
    x, mask = torch.randn(4, 6, 3), torch.arange(6) < torch.tensor([6, 2, 4, 3])[:, None]
    encoder, decoder = kind(3, 4), Tokens(4, 3)
    for reg in (MMDPrior(encoder, decoder), KLPrior(GaussianBottleneck(encoder, axis=-1), Tokens(2, 3))):
        with pytest.raises(
            ValueError, match=r"^encoder: expected the mask's 6 positions, .*x.unflatten\(1, \(-1, s"
        ):
            reg(x, mask=mask)
    with pytest.raises(ValueError, match=r"^z: expected the mask's 6 positions"):
        MMDPrior(encoder, decoder)(x, z=encoder(x, mask), mask=mask)
    with pytest.raises(ValueError, match=r"^critic: expected the mask's 6 positions"):
        ACAIRegularizer(Tokens(3, 4), decoder, critic=kind(3, 1 + (kind is Channels)))(x, mask=mask)
    with pytest.raises(ValueError, match=r"^critic: expected the mask's 6 positions"):
        LatentCritic(Tokens(3, 4), decoder, critic=kind(4, 1 + (kind is Channels)))(x, mask=mask)


def test_the_ways_that_the_message_gives_do_not_depend_on_the_length_of_the_padding() -> None:
    strided, after, mask = Strided(3, 4), Tokens(4, 3), torch.arange(6) < torch.tensor([6, 2, 4, 3])[:, None]
    x = torch.randn(4, 6, 3) * mask[..., None]
    encoder = lambda frames, mask: strided(frames.unflatten(2, (2, 3)).flatten(1, 2), mask)  # noqa: E731
    losses = []
    for longer in (0, 2, 6):
        more, wider = (nn.functional.pad(each, (*(0, 0) * (each.ndim - 2), 0, longer)) for each in (x, mask))
        frames = more.unflatten(1, (-1, 2)).flatten(2)
        losses.append(MMDPrior(encoder, after).eval()(frames, mask=wider[:, ::2])["mmd"])
    torch.testing.assert_close(losses, losses[:1] * 3)
