"""Which term is not finite, and where that began: NaN is planted in each place."""

from functools import partial

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from wrapped import variational
from zoo import Zoo, vector_pair

from interpreg import ACAIRegularizer, KLPrior, Reconstruction, Regularizer


class Spoilt(nn.Module):
    """NaN at one of its calls."""

    def __init__(self, at: int = 1, value: float = torch.nan) -> None:
        super().__init__()
        self.at, self.calls, self.value = at, 0, value

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return torch.where(torch.tensor(self.calls == self.at), self.value, x)


def hooks_of(reg: Regularizer) -> int:
    modules = [reg, *reg.modules()]
    modules += [
        m for network in (reg.encoder, reg.decoder) if isinstance(network, nn.Module) for m in network.modules()
    ]
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def said(reg: Regularizer, x: Tensor, **options: Tensor) -> str:
    """The error, after which the regularizer is as before."""
    networks = reg.encoder, reg.decoder
    with pytest.raises(FloatingPointError) as error, reg.detect_nonfinite():
        reg(x, **options)
    assert hooks_of(reg) == 0
    assert (reg.encoder, reg.decoder) == networks
    return str(error.value)


@pytest.mark.fault(
    "Numerics",
    "Losses become NaN, and nothing says where.",
    now="`with reg.detect_nonfinite():` raises at the call and names the term, the layer and the call of which network",
)
@pytest.mark.parametrize(("role", "at", "where"), [
    ("encoder", 1, "layer 2 (Spoilt), whose input is finite, in call 1 of the encoder"),
    ("decoder", 1, "layer 1 (Spoilt), whose input is finite, in call 1 of the decoder, on the codes of x"),
    ("decoder", 2, "layer 1 (Spoilt), whose input is finite, in call 2 of the decoder, on mixed codes"),
    ("critic", 1, "layer 1 (Spoilt), whose input is finite, in call 1 of the critic"),
    ("critic", 3, "layer 1 (Spoilt), whose input is finite, in call 3 of the critic"),
])  # fmt: skip
def test_where_it_began(encoder, decoder, x, role: str, at: int, where: str) -> None:
    critic = nn.Sequential(nn.Flatten(), Spoilt(at) if role == "critic" else nn.Identity(), nn.Linear(64, 1))
    if role == "encoder":
        encoder.insert(2, Spoilt(at))
    if role == "decoder":
        decoder.insert(1, Spoilt(at))
    message = said(ACAIRegularizer(encoder, decoder, critic=critic), x)
    assert message.endswith(f"it began in the output of {where}")
    first = {"encoder": "reconstruction", "decoder": "reconstruction", "critic": "interpolation"}[role]
    expected = {"decoder 2": "interpolation", "critic 3": "critic/real"}.get(f"{role} {at}", first)
    assert message.startswith(f"losses: {expected!r} is not finite")


def test_x_parameters_and_weights_that_were_not_finite_before(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder)
    assert "x itself holds 2 of 384 values that are NaN or infinite" in said(reg, x.index_fill(3, torch.tensor(0), 0)
        .view(-1).index_fill(0, torch.tensor([3, 9]), torch.nan).view_as(x))  # fmt: skip
    decoder[2].bias.data[0] = torch.inf
    assert "decoder.2.bias holds NaN or infinite values; it began in the output of layer 2 (Linear)" in said(
        reg, x
    )
    decoder[2].bias.data[0] = 0
    reg.weight = torch.tensor(torch.nan)
    assert said(reg, x).endswith("is not finite: its weight is not finite")


def test_a_term_of_ones_own(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder, loss=lambda x_hat, x: (x_hat - x).sum() / 0)
    assert "so it began in the term's own formula" in said(reg, x)


def test_a_gradient_that_is_not_finite_although_the_loss_is(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder) + Reconstruction(
        encoder, decoder, loss=lambda x_hat, x: (0 * x_hat).square().sum().sqrt()
    )
    message = said(reg, x)
    assert message.startswith("losses: 'reconstruction_2' is finite, but its gradient is not, first at ")
    assert message.split("first at ")[1].startswith(("encoder.", "decoder."))


def test_healthy_losses_pass_and_a_backward_follows(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    with reg.detect_nonfinite():
        losses = reg(zoo.x)
    assert hooks_of(reg) == 0
    sum(losses.values()).backward()


def test_outputs_inside_a_network_may_be_infinite_where_its_own_is_not(encoder, decoder, x) -> None:
    class Masking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.masked_fill(x < 0, -torch.inf)

    encoder.extend([Masking(), nn.ReLU()])
    decoder.insert(1, Spoilt())
    assert "of the decoder" in said(Reconstruction(encoder, decoder), x)


class Autoencoder(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.enc, self.dec = encoder, decoder

    def encode(self, x: Tensor) -> Tensor:
        return self.enc(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.dec(z)


@pytest.mark.parametrize("wrap", [
    lambda ae: (ae.encode, ae.decode),
    lambda ae: (lambda x: ae.enc(x), lambda z: ae.dec(z)),
    lambda ae: (partial(Autoencoder.encode, ae), partial(Autoencoder.decode, ae)),
    lambda ae: (torch.compile(ae.enc, backend="eager"), ae.decode),
], ids=["methods", "lambdas", "partials", "beside a compiled encoder"])  # fmt: skip
def test_networks_that_are_no_modules(encoder, decoder, x, wrap) -> None:
    decoder.insert(1, Spoilt(at=2))
    message = said(ACAIRegularizer(*wrap(Autoencoder(encoder, decoder)), critic=nn.Linear(8, 1)), x)
    assert "layer " in message
    assert "1 (Spoilt), whose input is finite, in call 2 of the decoder, on mixed codes" in message


def test_layers_of_compiled_networks_are_not_told_apart(encoder, decoder, x) -> None:
    encoder.insert(2, Spoilt())
    for wrap in (partial(torch.compile, backend="eager"), lambda e: e.compile(backend="eager") or e):
        encoder[2].calls = 0
        message = said(Reconstruction(wrap(encoder), decoder), x)
        assert "in call 1 of the encoder" in message
        assert "Spoilt" not in message


def test_distributed_networks_and_bottlenecks(process_group: None, encoder, decoder, x) -> None:
    encoder.insert(2, Spoilt())
    reg = Reconstruction(DistributedDataParallel(encoder), DistributedDataParallel(decoder))
    assert "layer module.2 (Spoilt)" in said(reg, x)
    assert distributed.is_initialized()
    encoder, decoder, x = vector_pair()
    encoder.append(Spoilt())
    bottleneck = variational(encoder)
    reg = Reconstruction(bottleneck, decoder) + KLPrior(bottleneck, decoder)
    assert "layer network.4 (Spoilt)" in said(reg, x)


def test_codes_of_the_loop(encoder, decoder, x) -> None:
    decoder.insert(1, Spoilt(at=2))
    z = encoder(x)
    message = said(ACAIRegularizer(encoder, decoder), x, z=z)
    assert "in call 2 of the decoder, on mixed codes" in message


def test_a_context_without_a_call_of_the_regularizer_says_so(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    none = pytest.raises(RuntimeError, match="expected a call of this Critic inside, got none")
    with none, reg.game.detect_nonfinite():
        reg(x)
    with pytest.raises(ValueError, match="x: expected"), reg.detect_nonfinite():
        reg(x[:0])
    assert hooks_of(reg) == 0


def test_what_came_in_and_what_the_call_itself_spoilt_is_not_accused(encoder, decoder, x) -> None:
    """Statistics that the call spoilt, and masks of infinity in buffers, are no cause."""
    encoder.insert(1, nn.BatchNorm1d(64))
    encoder.register_buffer("mask", torch.full((2, 2), -torch.inf))
    message = said(Reconstruction(encoder, decoder), x.index_fill(3, torch.tensor(0), torch.inf))
    assert "holds 48 of 384 values" in message
    assert message.endswith("it came in with the input of call 1 of the encoder")
    assert "running_mean" not in message
    z = encoder(x).detach().fill_(torch.nan)
    encoder[1].reset_running_stats()
    message = said(Reconstruction(encoder, decoder), x, z=z)
    assert "z itself holds 24 of 24 values" in message
    assert message.endswith("it came in with the input of call 1 of the decoder, on the codes of x")


@pytest.mark.fault(
    "Numerics",
    "Running statistics of a batch normalisation are NaN, which training does not read.",
    now="`detect_nonfinite` and `diagnose` name the buffer",
)
def test_running_statistics_that_only_evaluation_reads(encoder, decoder, x) -> None:
    encoder.insert(1, nn.BatchNorm1d(64))
    encoder[1].running_var[3] = torch.nan
    assert "encoder.1.running_var holds NaN" in said(Reconstruction(encoder, decoder), x)


def test_the_gradient_begins_at_the_last_layer_that_has_none(encoder, decoder, x) -> None:
    class Spoiling(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx, g: Tensor) -> Tensor:
            return g * torch.nan

    for _ in range(3):
        reg = Reconstruction(lambda x: Spoiling.apply(encoder(x)), decoder)
        assert "first at encoder.3.bias" in said(reg, x)


def test_an_error_behind_values_that_are_not_finite_is_explained(encoder, decoder, x) -> None:
    def strict(x_hat: Tensor, x: Tensor) -> Tensor:
        raise ArithmeticError("no solution") if x_hat.isnan().any() else AssertionError

    decoder.insert(1, Spoilt())
    message = said(Reconstruction(encoder, decoder, loss=strict), x)
    assert message.startswith(
        "ArithmeticError, behind values that are not finite: it began in the output of layer 1"
    )


def test_a_context_may_be_entered_again_and_says_when_half_precision_is_the_cause(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    context = reg.detect_nonfinite()
    for _ in range(2):
        with context, context:
            reg(x)
    assert hooks_of(reg) == 0
    with torch.no_grad():
        decoder[2].weight *= 1e6
    reg = Reconstruction(encoder.half(), decoder.half())
    assert "float16, in which more than 65504 is infinite" in said(reg, x.half())
