"""Fresh copies: the same architecture, nothing of what the original knows."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from zoo import TokenEncoder, Zoo

from interpreg import fresh_copy


def test_every_weight_is_new_and_trainable(zoo: Zoo) -> None:
    encoder = zoo.encoder.requires_grad_(False).eval()  # as a frozen, pretrained one would be
    before = [p.clone() for p in encoder.parameters()]
    copy = fresh_copy(encoder)
    torch.testing.assert_close(list(encoder.parameters()), before, rtol=0, atol=0)
    assert copy.training
    for (n, p), q in zip(copy.named_parameters(), encoder.parameters(), strict=True):
        assert p.shape == q.shape
        assert p.requires_grad or n == "position"  # a frozen constant that nothing resets stays one
        if q.unique().numel() > 1:  # biases and scales start as constants
            assert n == "position" or not torch.equal(p, q)


def test_what_cannot_be_reset_is_shuffled() -> None:
    encoder = TokenEncoder()
    copy = fresh_copy(encoder)
    assert not torch.equal(copy.position, encoder.position)
    ours, theirs = (each.position.flatten().sort().values for each in (copy, encoder))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "wrap", [parametrizations.weight_norm, parametrizations.spectral_norm, parametrizations.orthogonal]
)
def test_parametrized_weights_are_new_too(wrap) -> None:
    encoder = nn.Sequential(wrap(nn.Linear(6, 6)))
    copy = fresh_copy(encoder)
    assert not torch.allclose(copy[0].weight, encoder[0].weight)


def test_running_statistics_start_anew() -> None:
    encoder = nn.Sequential(nn.BatchNorm1d(4))
    encoder(torch.randn(8, 4) + 3)
    assert torch.equal(fresh_copy(encoder)[0].running_mean, torch.zeros(4))


def test_tied_weights_stay_tied() -> None:
    encoder = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    encoder[1].weight = encoder[0].weight
    copy = fresh_copy(encoder)
    assert copy[0].weight is copy[1].weight


def test_the_users_hooks_do_not_follow_and_those_that_are_architecture_do() -> None:
    calls = []
    encoder = nn.Linear(4, 4)
    encoder.register_forward_hook(lambda *_: calls.append(1))
    encoder.register_forward_pre_hook(lambda *_: calls.append(1))
    fresh_copy(encoder)(torch.randn(2, 4))
    assert not calls
    copy = fresh_copy(torch.nn.utils.spectral_norm(nn.Linear(4, 4)))
    copy(torch.randn(2, 4))
    assert copy._forward_pre_hooks


def test_a_compiled_encoder_gives_an_ordinary_copy() -> None:
    copy = fresh_copy(torch.compile(nn.Sequential(nn.Linear(4, 4))))
    assert type(copy) is nn.Sequential


def test_what_a_forward_pass_left_behind_does_not_prevent_a_copy() -> None:
    class Keeping(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.kept = super().forward(x)
            return self.kept

    encoder = nn.Sequential(Keeping(4, 4))
    encoder(torch.randn(2, 4))
    copy = fresh_copy(encoder)
    assert copy(torch.zeros(2, 4)).shape == (2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own word on old-style weight_norm
        encoder = nn.Sequential(torch.nn.utils.weight_norm(nn.Linear(4, 4)))
    encoder(torch.randn(2, 4))
    copy = fresh_copy(encoder)
    assert not torch.allclose(copy(torch.eye(4)), encoder(torch.eye(4)))


class Uncopyable(nn.Linear):
    def __deepcopy__(self, memo: object) -> None:
        raise RuntimeError("no copies of me")


class Unresettable(nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 2)
        self.made = True

    def reset_parameters(self) -> None:
        if hasattr(self, "made"):
            raise RuntimeError("once only")
        super().reset_parameters()


@pytest.mark.parametrize(("network", "message"), [
    (torch.relu, r"critic: expected one, .*not an nn.Module"),
    (nn.Linear(2, 2).forward, r"but a method; give critic=fresh_copy\(module\), of the module that it calls"),
    (lambda x: x, r"but a function; give critic=fresh_copy\(module\), of the module that it calls"),
    (nn.LazyLinear(4), r"'weight' has no shape yet; run one batch"),
    (Uncopyable(2, 2), r"copying it failed with RuntimeError: no copies of me"),
    (nn.Flatten(), r"it has no parameters to train"),
    (Unresettable(), r"resetting its Unresettable failed with RuntimeError: once only"),
])  # fmt: skip
def test_what_has_no_fresh_copy_is_refused(network: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fresh_copy(network)


def test_networks_without_memory_are_copied() -> None:
    """As large models are made, before `to_empty`."""
    with torch.device("meta"):
        copied = fresh_copy(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)))
    assert all(p.is_meta and p.requires_grad for p in copied.parameters())
