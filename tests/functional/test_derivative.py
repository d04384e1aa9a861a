"""Directional derivatives of decoders, and the gradients of those, against differences in float64."""

import copy

import pytest
import torch
from decoders import DECODERS, Residual, cubes, double
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.utils.checkpoint import CheckpointError

from interpreg.functional import path_derivative, smoothness_loss
from interpreg.functional.derivative import METHODS


def made(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor, Tensor]:
    """A decoder, codes and a direction."""
    decoder, shape = DECODERS[name]()
    z, direction = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(2))
    return decoder.to(dtype), z, direction


def decoded(decoder: nn.Module, z: Tensor) -> Tensor:
    """What a decoder says, with the same random numbers and statistics at each call."""
    torch.manual_seed(1)
    return copy.deepcopy(decoder)(z)


@pytest.mark.fault(
    "Gradients",
    "Layers without forward mode: attention, batch statistics in training, checkpoints.",
    now="the derivative is exact, or an error names another method",
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DECODERS)
def test_the_derivative_is_that_of_the_decoder(name: str, method: str) -> None:
    decoder, z, direction = made(name)
    step = 1e-6
    expected = (decoded(decoder, z + step * direction) - decoded(decoder, z - step * direction)) / (2 * step)
    image = decoded(decoder, z)
    torch.manual_seed(1)
    x, dx = path_derivative(decoder, z, direction, method=method)
    torch.testing.assert_close(x, image)
    torch.testing.assert_close(dx, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in DECODERS if name != "relu in place"])  # which has a kink
def test_its_gradients_are_right_in_parameters_codes_and_direction(name: str, method: str) -> None:
    decoder, z, direction = made(name)
    if name == "spectral norm":  # whose power iteration, in training mode, no gradient goes through
        decoder.eval()

    def derivative(z: Tensor, direction: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        torch.manual_seed(1)
        return path_derivative(decoder, z, direction, method=method)

    def check() -> bool:
        return gradcheck(
            derivative, (z, direction, *decoder.parameters()), eps=1e-4 if method == "finite" else 1e-6,
            rtol=1e-4, atol=1e-6, fast_mode=True, nondet_tol=1e-12,
        )  # fmt: skip

    if (name, method) == ("checkpointed", "forward"):  # recomputed without tangents, and torch says so
        with pytest.raises(CheckpointError):
            check()
    else:
        assert check()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "name", ["batch norm", "instance norm with running statistics", "spectral norm", "dropout"]
)
def test_buffers_and_random_numbers_are_left_as_one_pass_leaves_them(name: str, method: str) -> None:
    decoder, z, direction = made(name)
    plain = copy.deepcopy(decoder)
    torch.manual_seed(1)
    plain(z)
    expected = torch.rand(3)
    torch.manual_seed(1)
    path_derivative(decoder, z, direction, method=method)
    assert torch.equal(torch.rand(3), expected)
    torch.testing.assert_close(list(decoder.buffers()), list(plain.buffers()))


def test_a_lost_tangent_is_an_error_and_no_zero() -> None:
    z = torch.randn(4, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"decoder: expected it to carry tangents.*method='double-backward'"):
        path_derivative(lambda z: z.data * 1, z, torch.ones_like(z))
    with pytest.raises(RuntimeError, match=r"decoder: expected a gradient of its gradient, got none; use method="):
        path_derivative(lambda z: z.data * 1, z, torch.ones_like(z), method="double-backward")


@pytest.mark.fault(
    "Gradients",
    "A custom operator in the decoder has a tangent of zero, without an error (pytorch PR#131116).",
    now='the trial of `method="auto"` compares with finite differences, uses another method and says so',
)
@pytest.mark.parametrize("method", METHODS)
def test_a_custom_operator_in_a_branch_is_not_silently_left_out(method: str) -> None:
    decoder, z = Residual(double).double(), torch.randn(4, 4).double()
    expected = 3 * (1 - decoder.first(z).tanh() ** 2) * (z @ decoder.first.weight.T) @ decoder.last.weight.T
    if method == "forward":
        with pytest.raises(RuntimeError, match=r"decoder: .* operations with a forward mode, got one without"):
            path_derivative(decoder, z, z)
    else:
        torch.testing.assert_close(path_derivative(decoder, z, z, method=method)[1], expected)


def test_an_operator_without_forward_mode_is_named_and_others_go_through() -> None:
    decoder, z = cubes(), torch.randn(4, 4)
    direction = torch.randn(4, 4)
    with pytest.raises(RuntimeError, match=r"decoder: .* operations with a forward mode, got one without"):
        path_derivative(decoder, z, direction)
    expected = 3 * decoder.layer(z) ** 2 * (direction @ decoder.layer.weight.T)
    for method in ("double-backward", "finite"):
        _, dx = path_derivative(decoder, z, direction, method=method)
        torch.testing.assert_close(dx, expected, rtol=1e-2, atol=1e-3)


def test_other_errors_of_a_decoder_are_not_touched() -> None:
    def broken(z: Tensor) -> Tensor:
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match=r"^out of paper$"):
        path_derivative(broken, torch.zeros(2), torch.zeros(2))


def test_a_decoder_that_ignores_its_codes_has_no_derivative() -> None:
    for method in ("forward", "double-backward"):
        with pytest.raises(RuntimeError, match=r"decoder: expected"):
            path_derivative(lambda z: torch.zeros_like(z), torch.randn(3, 2), torch.randn(3, 2), method=method)


@pytest.mark.fault(
    "Gradients",
    "A number in the decoder makes tangents float64 (pytorch/pytorch#160513).",
    now="dtypes stay",
)
@pytest.mark.parametrize("method", METHODS)
def test_dtypes_stay(method: str) -> None:
    """A number in the decoder makes tangents float64 in torch; and dropped gradients stay dropped."""
    decoder, z, direction = made("numbers", torch.float32)
    x, dx = path_derivative(decoder, z, direction, method=method)
    assert x.dtype == dx.dtype == torch.float32
    with torch.no_grad():
        x, dx = path_derivative(decoder, z, direction, method=method)
    assert not x.requires_grad
    assert not dx.requires_grad


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "name", ["batch norm", "layer norm", "group norm", "attention", "recurrent", "pixel shuffle"]
)
def test_under_autocast(name: str, method: str) -> None:
    decoder, z, direction = made(name, torch.float32)
    _, expected = path_derivative(decoder, z, direction)
    with torch.autocast("cpu", torch.bfloat16):
        _, dx = path_derivative(decoder, z, direction, method=method)
    dx.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in decoder.parameters() if p.grad is not None)
    assert (dx - expected).norm() < 0.05 * expected.norm()  # bf16 has three digits


@pytest.mark.fault(
    "Compiled code",
    "Compiled code drops a forward-mode rule (pytorch/pytorch#192985).",
    now="the compiled gradients of the derivative are the eager ones",
)
@pytest.mark.parametrize("name", ["batch norm", "layer norm", "attention", "checkpointed", "dropout", "recurrent"])
def test_compiled_gradients_are_the_eager_ones(name: str) -> None:
    decoder, z, direction = made(name, torch.float32)
    if name == "checkpointed":  # which only compiled code goes through in forward mode
        decoder = decoder.layer
    trained = [z, direction, *decoder.parameters()]

    def loss(z: Tensor, direction: Tensor) -> Tensor:
        return path_derivative(decoder, z, direction)[1].square().mean()

    values = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(1)
        with torch._dynamo.config.patch(allow_rnn=True):
            value = run(z, direction)
        values.append((value, *torch.autograd.grad(value, trained, allow_unused=True, materialize_grads=True)))
    torch.testing.assert_close(values[1], values[0])


@pytest.mark.parametrize("method", ["double-backward", "finite"])
def test_the_others_are_refused_in_compiled_code(method: str) -> None:
    decoder, z, direction = made("plain", torch.float32)
    call = lambda: path_derivative(decoder, z, direction, method=method)  # noqa: E731
    compiled = torch.compile(call, fullgraph=True, backend="eager")
    with pytest.raises(Exception, match="expected 'forward' in compiled code"):
        compiled()


def test_the_loss_is_a_mean_square_in_fp32() -> None:
    dx, mask = torch.randn(3, 4, 2), torch.tensor([[True, True, False, False]] * 3)
    torch.testing.assert_close(smoothness_loss(dx, mask), (dx[:, :2] ** 2).mean())
    big = torch.full((2, 2), 300.0, dtype=torch.float16)  # its square is none of fp16's
    assert smoothness_loss(big) == 90000.0


def test_bad_input() -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="method: expected one of 'forward', 'double-backward', 'finite', got"):
        path_derivative(torch.sin, z, z, method="fd")
    with pytest.raises(ValueError, match=r"direction: expected the shape of z, \(2, 3\), got"):
        path_derivative(torch.sin, z, z[:1])
    with pytest.raises(TypeError, match="z: expected a floating point tensor"):
        path_derivative(torch.sin, z.long(), z)
    with pytest.raises(TypeError, match="dx: expected a tensor"):
        smoothness_loss(3.0)
