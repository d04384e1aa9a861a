"""What a diagnosis says of values: each fault is planted."""

import pytest
import torch
from sequences import Sequences
from torch import Tensor, nn
from wrapped import quantized
from zoo import observed, vector_pair

from interpreg import ACAIRegularizer, MMDPrior, Reconstruction, Regularizer, diagnose
from interpreg.diagnosis import Finding
from interpreg.kernels import RBF, Energy
from interpreg.priors import Sampler


def the_finding(reg: Regularizer, x: Tensor, **options: object) -> Finding:
    (finding,) = diagnose(reg, x, **options)
    return finding


def test_the_codes_have_collapsed(encoder, decoder, x) -> None:
    encoder[-1].weight.data.zero_()
    assert the_finding(Reconstruction(encoder, decoder), x).kind == "collapsed_codes"


@pytest.mark.fault(
    "Bottlenecks", "Some elements of the code do not vary.", now="`diagnose`: `dead_units`, and how many they are"
)
def test_dead_units(encoder, decoder, x) -> None:
    encoder[-1].weight.data[1] = 0
    finding = the_finding(Reconstruction(encoder, decoder), x)
    assert (finding.kind, finding.severity) == ("dead_units", "warning")
    assert "1 of 4 elements (25 %) do not vary over 6 samples" in finding.message
    assert diagnose(Reconstruction(quantized(encoder), decoder), x).kinds == ()


def test_padding_is_no_code(sequences: Sequences) -> None:
    encoder, decoder, x, mask = sequences
    encoder.layers[-1].weight.data[0] = 0
    finding = the_finding(Reconstruction(encoder, decoder), x.tanh(), mask=mask)
    assert "1 of 2 elements (50 %) do not vary over 14 samples" in finding.message


@pytest.mark.fault(
    "Numerics",
    "An MMD that is blind at its bandwidth.",
    now="a warning; `diagnose`: `degenerate_mmd`, with one that fits",
)
@pytest.mark.parametrize("options", [
    {"kernel": RBF(0.00001)}, {"kernel": RBF(1e7)}, {"kernel": RBF(1e-5), "prior": "sphere"},
    {"kernel": RBF(1e-5), "prior": Sampler(lambda n: torch.randn(n, 4))},
])  # fmt: skip
def test_degenerate_bandwidths(encoder, decoder, x, options: dict[str, object]) -> None:
    finding = the_finding(MMDPrior(encoder, decoder, **options), x)
    assert finding.kind == "degenerate_mmd"
    assert "would fit these samples" in finding.remedy
    for kernel in (RBF(), RBF("median"), Energy(), None):
        assert diagnose(MMDPrior(encoder, decoder, **options | {"kernel": kernel}), x).kinds == ()


def test_what_is_not_finite(encoder, decoder, x) -> None:
    decoder[2].bias.data[0] = torch.nan
    finding = the_finding(ACAIRegularizer(encoder, decoder), x)
    assert (finding.kind, finding.severity) == ("not_finite", "error")
    assert "decoder.2.bias holds NaN" in finding.message
    assert "layer 2 (Linear)" in finding.message


def test_a_gradient_that_is_not_finite(encoder, decoder, x) -> None:
    reg = Reconstruction(encoder, decoder, loss=lambda x_hat, x: (0 * x_hat).square().sum().sqrt())
    assert "'reconstruction' is finite, but its gradient is not" in the_finding(reg, x).message


@pytest.mark.parametrize(("change", "kind"), [
    (lambda x: (255 * x.abs()).round(), "range"),
    (lambda x: 3 * x, "out_of_reach"),
])  # fmt: skip
def test_data(change, kind: str) -> None:
    encoder, decoder, x = vector_pair(16)
    reg = Reconstruction(encoder, nn.Sequential(*decoder, nn.Tanh()))
    assert diagnose(reg, x).kinds == ()
    assert the_finding(reg, change(x)).kind == kind


def test_missing_values_that_the_losses_leave_out(encoder, decoder, x) -> None:
    x[0, 0, 0, :2] = torch.nan
    reg = Reconstruction(lambda x: encoder(x.nan_to_num()), decoder, loss=observed)
    finding = the_finding(reg, x)
    assert (finding.kind, finding.severity) == ("missing_values", "warning")
    assert "0.521 %" in finding.message  # 2 of 384
