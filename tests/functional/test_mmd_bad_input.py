"""Bad input of mmd2 and mmd2_to_prior, and the messages."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF, Energy, Kernel

X, Y = torch.randn(6, 3), torch.randn(5, 3)
SLICED = {"estimator": "sliced", "kernel": Energy()}
INT = "expected a floating point tensor, got a torch.int"


@dataclass
class Unhashable(Kernel):
    def profile(self, sq: Tensor) -> Tensor:
        return 1 / (1 + sq)


@pytest.mark.parametrize("function", [mmd2, mmd2_to_prior])
@pytest.mark.parametrize(("options", "error", "message"), [
    ({"kernel": RBF}, TypeError, r"^kernel: expected a Kernel from interpreg.kernels, got the class RBF"),
    ({"kernel": "rbf"}, TypeError, r"^kernel: expected a Kernel from interpreg.kernels, got 'rbf'"),
    ({"kernel": Unhashable()}, TypeError, r"^kernel: expected one that can be hashed .*, got a Unhashable"),
    ({"estimator": "umbiased"}, ValueError, r"^estimator: expected one of 'unbiased', .* got 'umbiased'"),
    ({"backend": "cuda"}, ValueError, r"^backend: expected one of 'auto', 'reference', .* got 'cuda'"),
    ({"backend": "cuda", "estimator": "linear"}, ValueError, r"^backend: expected one of 'auto'"),
    ({"estimator": "sliced"}, ValueError, r"^kernel: expected Energy\(\), .* got InverseMultiquadric\("),
    ({**SLICED, "slices": 0}, ValueError, r"^slices: expected an int of at least 1"),
    ({**SLICED, "slices": 2.5}, TypeError, r"^slices: expected an int, got 2.5"),
])  # fmt: skip
def test_options(function, options: dict, error: type[Exception], message: str) -> None:
    samples = (X, Y) if function is mmd2 else (X,)
    with pytest.raises(error, match=message):
        function(*samples, **options)


@pytest.mark.parametrize("name", ["x_weights", "y_weights"])
@pytest.mark.parametrize(("weights", "error", "message"), [
    (torch.ones(4), ValueError, r": expected the shape of one weight a sample, \([65],\), got .*\(4,\)"),
    (torch.ones(6, 1), ValueError, r": expected the shape of one weight a sample"),
    (torch.ones(6).long(), TypeError, rf": {INT}64"),
    ([1.0] * 6, TypeError, r": expected a tensor, got a list of length 6"),
    (torch.tensor(1.0), ValueError, r": expected"),
])  # fmt: skip
def test_weights(name: str, weights: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{name}{message}"):
        mmd2(X, Y, **{name: weights})


@pytest.mark.parametrize("estimator", ["linear", "sliced"])
@pytest.mark.parametrize("name", ["x_weights", "y_weights"])
def test_estimators_without_weights(estimator: str, name: str) -> None:
    weights = torch.ones(6 if name == "x_weights" else 5)
    with pytest.raises(ValueError, match=rf"x_weights, y_weights: expected None with estimator='{estimator}'"):
        mmd2(X, Y, kernel=Energy(), estimator=estimator, **{name: weights})


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: mmd2(X, torch.randn(5, 4)), ValueError, r"^y: expected samples as wide as x, 3, got .*\(5, 4\)"),
    (lambda: mmd2(X[:1], Y), ValueError,
     r"^x: expected at least 2 samples, .*\(1, 3\) \(estimator='biased' takes one\)"),
    (lambda: mmd2(X, Y[:1]), ValueError, r"^y: expected at least 2 samples, got .*\(1, 3\)"),
    (lambda: mmd2(X[:0], Y), ValueError, r"^x: expected at least 2 samples, got .*\(0, 3\)$"),
    (lambda: mmd2(X, Y[:, :0]), ValueError, r"^y: expected samples of shape \[n, d\].*, got .*\(5, 0\)"),
    (lambda: mmd2(X.long(), Y), TypeError, rf"^x: {INT}64"),
    (lambda: mmd2(X, Y > 0), TypeError, r"^y: expected a floating point tensor, got a torch.bool"),
    (lambda: mmd2(X, Y.tolist()), TypeError, r"^y: expected a tensor, got a list of length 5"),
    (lambda: mmd2(X[:, 0], Y), ValueError, r"^x: expected samples of shape \[n, d\].*, got .*\(6,\)"),
    (lambda: mmd2(X, Y[None]), ValueError, r"^y: expected samples .*\(codes.flatten\(1\)\), got .*\(1, 5, 3\)"),
    (lambda: mmd2(X, Y.to("meta")), ValueError, r"^y: expected a tensor on the device of x, cpu, got one on meta"),
    (lambda: mmd2(X, Y[:0], estimator="biased"), ValueError, r"^y: expected at least 1 sample, got .*\(0, 3\)$"),
    (lambda: mmd2_to_prior(X[:1]), ValueError, r"^x: expected at least 2 samples, got"),
    (lambda: mmd2_to_prior(X[None]), ValueError, r"^x: expected samples of shape \[n, d\]"),
    (lambda: mmd2_to_prior(X.int()), TypeError, rf"^x: {INT}32"),
    (lambda: mmd2_to_prior(X, weights=torch.ones(5)), ValueError,
     r"^weights: .* one weight a sample, \(6,\), .*\(5,\)"),
    (lambda: mmd2_to_prior(X, closed_form="yes"), ValueError,
     r"^closed_form: expected 'auto', True or False, got 'yes'"),
    (lambda: mmd2_to_prior(X, closed_form=1), ValueError, r"^closed_form: expected 'auto', True or False, got 1"),
    (lambda: mmd2_to_prior(X, samples=1, closed_form=False), ValueError,
     r"^samples: expected an int of at least 2, got 1"),
    (lambda: mmd2_to_prior(X, samples=2.0, closed_form=False), TypeError, r"^samples: expected an int, got 2.0"),
    (lambda: mmd2_to_prior(X, samples=Y[:, :2], closed_form=False), ValueError,
     r"^y: expected samples as wide as x, 3, got"),
    (lambda: mmd2_to_prior(X, prior="ball", closed_form=True), ValueError,
     r"^closed_form: expected .* normal prior, .*Ball"),
    (lambda: mmd2_to_prior(X, kernel=RBF("median"), closed_form=True), ValueError, r"^closed_form: .*'median'"),
    (lambda: mmd2_to_prior(X, estimator="linear", closed_form=True), ValueError, r"^closed_form: .*'linear'"),
    (lambda: torch.func.grad(lambda x: mmd2(x, Y, **SLICED))(X), RuntimeError,
     r"estimator: expected one that torch.func .*, got 'sliced'"),
])  # fmt: skip
def test_samples_and_codes(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_biased_takes_one_sample() -> None:
    assert mmd2(X[:1], Y[:1], estimator="biased") > 0
