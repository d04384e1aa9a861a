"""The probe beside the autoencoder, against a loop by hand; and the median of a run's last evaluations."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interpreg.metrics import OnlineProbe, linear_probe, median_of_last


def batches(n: int = 6) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(16, 2, 3), torch.randint(4, (16,))) for _ in range(n)]


def test_a_step_is_softmax_cross_entropy_by_adam() -> None:
    """Adam's equations (Kingma and Ba 2015) and the gradient of the cross-entropy, written out."""
    probe = OnlineProbe(6, 4, lr=1e-2)
    weight, bias = probe.layer.weight.detach().double().clone(), probe.layer.bias.detach().double().clone()
    first, second = ([torch.zeros_like(weight), torch.zeros_like(bias)] for _ in range(2))
    for t, (codes, labels) in enumerate(batches(), start=1):
        loss = probe.step(codes, labels)
        flat = codes.flatten(1).double()
        logits = flat @ weight.T + bias
        shares = logits.exp() / logits.exp().sum(1, keepdim=True)
        assert loss.item() == pytest.approx(-shares[torch.arange(16), labels].log().mean().item(), rel=1e-5)
        error = (shares - torch.eye(4).double()[labels]) / 16
        for i, (parameter, gradient) in enumerate([(weight, error.T @ flat), (bias, error.sum(0))]):
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            root = (second[i] / (1 - 0.999**t)).sqrt() + 1e-8
            parameter -= 1e-2 * first[i] / (1 - 0.9**t) / root
    torch.testing.assert_close(probe.layer.weight.double(), weight, rtol=0, atol=1e-5)
    torch.testing.assert_close(probe.layer.bias.double(), bias, rtol=0, atol=1e-5)


def test_it_begins_as_published() -> None:
    """Glorot-uniform: within sqrt(6 / (in + out)), and filling that; zero bias; the published learning rate."""
    probe = OnlineProbe(300, 20)
    bound = math.sqrt(6 / 320)
    assert probe.layer.weight.abs().max() <= bound
    assert probe.layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert not probe.layer.bias.any()
    assert (probe.optimizer.defaults["lr"], probe.optimizer.defaults["weight_decay"]) == (1e-4, 0)


def test_the_encoder_gets_no_gradient() -> None:
    encoder = nn.Linear(5, 6)
    codes = encoder(torch.randn(16, 5))
    probe = OnlineProbe(6, 3)
    loss = probe.step(codes, torch.randint(3, (16,)))
    assert not loss.requires_grad
    assert encoder.weight.grad is None
    assert encoder.bias.grad is None
    codes.sum().backward()  # its graph is still there
    torch.testing.assert_close(encoder.bias.grad, torch.full((6,), 16.0))


def test_it_learns_where_gradients_are_off() -> None:
    probe = OnlineProbe(6, 4)
    before = probe.layer.weight.detach().clone()
    with torch.no_grad():
        probe.step(*batches(1)[0])
    assert not torch.equal(before, probe.layer.weight)


def test_separate_classes_are_learnt() -> None:
    labels = torch.arange(60) % 3
    codes = 5 * torch.eye(3)[labels] + 0.1 * torch.randn(60, 3)
    probe = OnlineProbe(3, 3, lr=0.05)
    for _ in range(200):
        probe.step(codes, labels)
    assert probe.accuracy(codes, labels) == 1.0 == linear_probe(codes, labels, codes, labels)


def test_accuracy_is_the_share_that_is_right_in_any_batches() -> None:
    probe = OnlineProbe(3, 3)
    with torch.no_grad():
        probe.layer.weight.copy_(torch.eye(3))
    codes, labels = torch.eye(3).repeat(5, 1), torch.tensor([0, 1, 0]).repeat(5)
    assert {probe.accuracy(codes, labels, batch_size=n) for n in (1, 4, 15, 100)} == {10 / 15}


def test_a_loaded_probe_goes_on_as_if_it_had_never_stopped(tmp_path) -> None:
    probe, data = OnlineProbe(6, 4, lr=0.01), batches(8)
    for pair in data[:4]:
        probe.step(*pair)
    torch.save(probe.state_dict(), tmp_path / "probe.pt")
    loaded = OnlineProbe(6, 4, lr=0.5)
    loaded.load_state_dict(torch.load(tmp_path / "probe.pt", weights_only=True))
    copied = copy.deepcopy(probe)
    for pair in data[4:]:
        assert probe.step(*pair) == loaded.step(*pair) == copied.step(*pair)
    assert torch.equal(probe.layer.weight, loaded.layer.weight)
    assert torch.equal(probe.layer.weight, copied.layer.weight)


def test_the_optimizer_moves_along() -> None:
    probe = OnlineProbe(6, 4)
    (codes, labels), *_ = batches(1)
    probe.step(codes, labels)
    probe.double()
    before = probe.layer.weight.detach().clone()
    probe.step(codes, labels)
    assert {state["exp_avg"].dtype for state in probe.optimizer.state.values()} == {torch.float64}
    assert not torch.equal(before, probe.layer.weight)


def test_autocast_leaves_it_exact() -> None:
    (codes, labels), *_ = batches(1)
    probe = OnlineProbe(6, 4)
    twin = copy.deepcopy(probe)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = probe.step(codes, labels)
    assert (loss, probe.step(codes.bfloat16(), labels).dtype) == (twin.step(codes, labels), torch.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda p: p.step(torch.randn(4, 5), torch.zeros(4).long()), ValueError,
     r"codes: expected 6 elements a sample"),
    (lambda p: p.step(torch.randn(4, 6), torch.zeros(3).long()), ValueError, r"labels: expected .* shape \[4\]"),
    (lambda p: p.accuracy(torch.full((4, 6), math.nan), torch.zeros(4).long()), ValueError, r"got 4 of 4"),
    (lambda p: p.accuracy(torch.randn(0, 6), torch.zeros(0).long()), ValueError, r"codes: expected at least 1"),
    (lambda p: OnlineProbe(0, 2), ValueError, r"code_size: expected an int of at least 1"),
    (lambda p: OnlineProbe(6, 1), ValueError, r"classes: expected an int of at least 2"),
    (lambda p: OnlineProbe(6, 2, lr=-1), ValueError, r"lr: expected a finite number"),
])  # fmt: skip
def test_bad_input_is_named_before_anything_changes(call, error: type[Exception], message: str) -> None:
    probe = OnlineProbe(6, 4)
    before = copy.deepcopy(probe.state_dict())
    with pytest.raises(error, match=message):
        call(probe)
    torch.testing.assert_close(probe.state_dict(), before)


@pytest.mark.parametrize("n", [1, 19, 20, 21, 40])
def test_it_is_the_median_of_the_last_twenty(n: int) -> None:
    values = torch.randn(n)
    expected = pytest.approx(float(np.median(values[-20:].numpy())))
    assert median_of_last(values) == median_of_last(values.tolist()) == expected


def test_undefined_evaluations_make_the_median_undefined() -> None:
    assert math.isnan(median_of_last([1.0, math.nan, 2.0]))
    assert median_of_last([math.nan, 1.0, 2.0], last=2) == 1.5
    with pytest.raises(ValueError, match=r"values: expected at least one evaluation, got none"):
        median_of_last([])
    with pytest.raises(ValueError, match=r"last: expected an int of at least 1"):
        median_of_last([1.0], last=0)


def test_the_linear_probe_learns_of_training_codes_alone() -> None:
    """Labels that the test has turned round: what is learnt of the training set is wrong there, every time."""
    codes = torch.cat([torch.randn(30, 2) - 5, torch.randn(30, 2) + 5])
    labels = torch.arange(60) // 30
    assert linear_probe(codes, labels, codes + 0.1, labels) == 1
    assert linear_probe(codes, labels, codes + 0.1, 1 - labels) == 0
