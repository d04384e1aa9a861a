"""The method selected for decoders that keep values, jump, or draw numbers of their own; and for collapsed codes."""

import functools

import numpy as np
import pytest
import torch
from decoders import KeepsSlope, Made
from torch import Tensor, nn

from interpreg import AlphaSmoothness
from interpreg.regularizers.smoothness import DerivativeOf


class Keeping(nn.Module):
    """Keeps places, of the dtype of its first call, and what it has seen."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.way, self.kept, self.seen = way, {}, []

    @functools.cache  # noqa: B019  # as a user's decoder may; it lives as long as the test
    def places(self, dtype: object = None) -> Tensor:
        return torch.linspace(0, 1, 6, dtype=self.first.weight.dtype)

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(z)
        self.seen.append(h.detach())
        places = self.places() if self.way == "cache" else self.kept.setdefault("places", h.new_ones(6))
        return self.last(h.tanh() + places)


@pytest.mark.fault(
    "Gradients",
    "The decoder keeps positions in a dict or a cache: the trial of AEAI, in float64, leaves its own there, and every "
    "call after it fails.",
    now="they stay of the dtype of the decoder, and lists as long as without a trial",
)
@pytest.mark.parametrize("way", ["dict", "cache"])
def test_what_a_decoder_keeps_is_of_its_own_calls(way: str) -> None:
    decoder, (z, v) = Keeping(way), torch.randn(2, 5, 4)
    derivative_of = DerivativeOf(decoder, "auto")
    x, _ = derivative_of(decoder, z, v, None)
    assert x.dtype == decoder(z).dtype == torch.float32
    assert derivative_of._selected == {(True,): "forward"}
    assert [each.shape[0] for each in decoder.seen] == [5, 5]
    assert all(each.dtype == torch.float32 for each in decoder.seen)


def straight_through(h: Tensor) -> Tensor:
    return h + (torch.round(4 * h) / 4 - h).detach()


@pytest.mark.fault(
    "Gradients",
    "The decoder rounds or quantizes: finite differences are 0, or steps divided by a step, up to 1e12.",
    now="`RuntimeError` that names the methods of the straight-through derivative",
)
@pytest.mark.parametrize("name", ["rounded", "fake quantization"])
def test_decoders_that_jump_have_no_finite_differences(name: str) -> None:
    quantize = {
        "rounded": straight_through,
        "fake quantization": lambda h: torch.fake_quantize_per_tensor_affine(h, 0.1, 0, -128, 127),
    }[name]
    decoder, (z, v) = Made(nn.Linear(4, 6), lambda layer, z: quantize(layer(z))), torch.randn(2, 5, 4)
    with pytest.raises(RuntimeError, match=r"'finite' is 0, as where codes are rounded.*give method='forward' or"):
        DerivativeOf(decoder, "auto")(decoder, z, v, None)
    _, dx = DerivativeOf(decoder, "forward" if name == "rounded" else "double-backward")(decoder, z, v, None)
    inside = torch.ones_like(dx)  # nothing is clamped
    torch.testing.assert_close(dx, (v @ decoder.layer.weight.T) * inside)


def test_a_decoder_that_starts_at_zero_is_no_jump() -> None:
    last = nn.Linear(3, 2)
    nn.init.zeros_(last.weight)
    decoder, z = (
        nn.Sequential(Made(nn.Linear(4, 6), lambda layer, z: torch.cdist(layer(z), z.new_ones(3, 6))), last),
        None,
    )
    z = torch.randn(5, 4)
    with pytest.warns(UserWarning, match="uses method='finite'"):
        DerivativeOf(decoder, "auto")(decoder, z, z, None)


@pytest.mark.parametrize("way", ["generator", "numpy"])
def test_finite_differences_of_random_numbers_are_refused(way: str) -> None:
    generator = torch.Generator()
    noise = {
        "generator": lambda h: torch.randn(h.shape, generator=generator),
        "numpy": lambda h: torch.from_numpy(np.random.default_rng().normal(size=h.shape)).to(h),
    }[way]
    decoder, z = Made(nn.Linear(4, 6), lambda layer, z: layer(z) + noise(z[:, :1])), torch.randn(5, 4)
    with pytest.raises(RuntimeError, match="give method='forward'"):
        DerivativeOf(decoder, "auto")(decoder, z, z, None)
    with pytest.raises(RuntimeError, match=r"^decoder: expected the same output for the same codes, got others"):
        DerivativeOf(decoder, "finite")(decoder, z, z, None)
    _, dx = DerivativeOf(decoder, "forward")(decoder, z, z, None)
    torch.testing.assert_close(dx, z @ decoder.layer.weight.T)


@pytest.mark.fault(
    "Gradients",
    "An encoder that starts at zero gives equal codes, by which the trial of AEAI tells no method from another.",
    now="the trial is made of other codes",
)
def test_a_method_is_selected_for_codes_that_move() -> None:
    encoder, decoder = nn.Linear(3, 4), Made(nn.Linear(4, 3), lambda layer, z: KeepsSlope.apply(layer(z)))
    for p in encoder.parameters():
        nn.init.zeros_(p)
    with pytest.warns(UserWarning, match="uses method='finite'.*another gradient than finite differences"):
        AlphaSmoothness(encoder, decoder)(torch.randn(6, 3))
