"""Critics whose mean is constant, or bounded, are warned of at the first call, and others are not."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from zoo import images, vector_pair

from interpreg import ACAIRegularizer, AMRRegularizer, Interpolator, fresh_copy


class Length(nn.Module):
    """Codes of length 1."""

    def forward(self, z: Tensor) -> Tensor:
        return normalize(z, dim=1)


def pair_of(size: int, *last: nn.Module) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, size), *last)
    return encoder, nn.Sequential(nn.Linear(size, 64), nn.Unflatten(1, (1, 8, 8)))


def said(reg: nn.Module, calls: int = 5, size: int = 8) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(calls):
            reg(images(size, 1, 8, 8))
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


@pytest.mark.fault(
    "Critics",
    "The default critic, a copy of an encoder that ends in a layer normalisation or a softmax: its mean is constant, "
    "so the critic's say in the autoencoder is 1e8 times too small.",
    now="one warning at the first call, with the critic to give",
)
@pytest.mark.parametrize("last", [
    [nn.LayerNorm(16)], [nn.LayerNorm(16, elementwise_affine=False)], [nn.Softmax(1)],
    [nn.Unflatten(1, (4, 4)), nn.GroupNorm(2, 4), nn.Flatten()],
])  # fmt: skip
@pytest.mark.parametrize("loss", ["regression", "bce"])
def test_a_mean_that_is_constant(last: list[nn.Module], loss: str) -> None:
    encoder, decoder = pair_of(16, *last)
    (message,) = said(ACAIRegularizer(encoder, decoder, loss=loss))
    assert "a judgement that depends on the image, got the same for all" in message
    assert "critic=nn.Sequential(fresh_copy(encoder), nn.Flatten(), nn.Linear(16, 1))" in message
    mended = nn.Sequential(fresh_copy(encoder), nn.Flatten(), nn.Linear(16, 1))
    assert said(ACAIRegularizer(encoder, decoder, critic=mended, loss=loss)) == []


@pytest.mark.fault(
    "Critics",
    "The default critic, a copy of an encoder of codes on the sphere: its mean cannot reach the coefficients.",
    now="one warning at the first call, with the largest mean and the critic to give",
)
def test_a_mean_that_cannot_reach_the_coefficients() -> None:
    (message,) = said(ACAIRegularizer(*pair_of(64, Length())))
    assert "constant length 1, which is at most 0.12" in message
    assert said(ACAIRegularizer(*pair_of(3, Length()))) == []  # 0.58
    assert said(ACAIRegularizer(*pair_of(64, Length()), loss="bce")) == []


@pytest.mark.parametrize("last", [
    [], [nn.Sigmoid()], [nn.ReLU()], [nn.Tanh()], [nn.BatchNorm1d(16)], [nn.RMSNorm(16)],
    [*[layer for _ in range(30) for layer in (nn.Linear(16, 16), nn.ReLU())], nn.Linear(16, 16)],
])  # fmt: skip
def test_other_critics_are_left_alone(last: list[nn.Module]) -> None:
    """Also deep ones, whose outputs hardly differ at first."""
    assert said(ACAIRegularizer(*pair_of(16, *last))) == []


def test_other_judgements_and_small_batches() -> None:
    pair = pair_of(16, nn.LayerNorm(16))
    assert said(ACAIRegularizer(*pair, judge="code", interpolator=Interpolator(kind="multidimensional"))) == []
    assert said(ACAIRegularizer(*pair), size=2) == []
    assert len(said(AMRRegularizer(*pair))) == 1
    reg = ACAIRegularizer(*pair)
    assert (len(said(reg)), len(said(reg)), len(said(copy.deepcopy(reg)))) == (1, 0, 1)
    assert len(said(pickle.loads(pickle.dumps(reg)))) == 1


def test_images_that_hardly_differ_tell_nothing() -> None:
    """Where all mixed codes are quantized to one, what a critic gives differs by roundings alone."""
    encoder, decoder = pair_of(16)
    reg = ACAIRegularizer(encoder, lambda z: decoder(0 * z + 1e-8 * z), critic=fresh_copy(encoder))
    assert said(reg) == []
    assert not reg.game._blind.is_over


def test_a_softmax_of_images_that_hardly_differ_is_seen_once_they_do() -> None:
    encoder, decoder = pair_of(16, nn.Softmax(1))
    scale = torch.tensor(1e-4)
    reg = ACAIRegularizer(encoder, lambda z: scale * decoder(z))
    assert said(reg, calls=3) == []
    scale.fill_(10.0)
    assert len(said(reg)) == 1


def test_no_constant_critic_in_compiled_code_is_looked_at() -> None:
    encoder, decoder, x = vector_pair()
    reg = ACAIRegularizer(nn.Sequential(encoder, nn.LayerNorm(4)), decoder)
    torch.compile(reg, fullgraph=True, backend="eager")(x)
    assert not reg.game._blind.calls
