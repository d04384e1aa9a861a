r"""The contestants: ways to compute an MMD between codes x and samples y of a prior, and its gradient in x.

:func:`gate` compares each with the float64 reference before it is timed. The peers in plain PyTorch are as fast as we
can write them: distances by one ``addmm``, no clamp (an RBF needs none), no mask
(the diagonal's part is a constant), gradients of the symmetric block through one of its sides only.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import NamedTuple

import torch
from geomloss import SamplesLoss
from torch import Tensor

from interpreg.functional import mmd2, mmd2_to_prior
from interpreg.kernels import RBF
from interpreg.kernels.radial import MIDRAE_BANDWIDTHS, ladder

GATE_SAMPLES = 256
VALUE_TOLERANCE = 2e-5  # absolute
GRADIENT_TOLERANCE = 2e-3  # of the largest component

Widths = tuple[float, ...]
Value = Callable[[Tensor, Tensor, Widths], Tensor]


class Contestant(NamedTuple):
    """An implementation, and the reference that it must agree with."""

    value: Value
    truth: Value
    dense: bool = False
    """Whether it stores a matrix of size n x n."""
    laddered: bool = False
    """Whether it equals another one for a single bandwidth."""
    compiled: bool = False
    missing: str = ""
    """Why it is unavailable, or an empty string."""


def widths_of(name: str, d: int) -> Widths:
    """The sum of MIDR-AE's code, or one that fits the dimension."""
    return {"six": MIDRAE_BANDWIDTHS, "one": (math.sqrt(d),)}[name]


def ours(x: Tensor, y: Tensor, widths: Widths, backend: str = "auto", estimator: str = "unbiased") -> Tensor:
    return mmd2(x, y, kernel=RBF(widths), backend=backend, estimator=estimator)


def ours_closed(x: Tensor, y: Tensor, widths: Widths, backend: str = "auto") -> Tensor:
    return mmd2_to_prior(x, kernel=RBF(widths), backend=backend)


def plain(x: Tensor, y: Tensor, widths: Widths) -> Tensor:
    return _dense(x, y, widths, _exponentials)


def laddered(x: Tensor, y: Tensor, widths: Widths) -> Tensor:
    return _dense(x, y, widths, _squarings)


def compiled(x: Tensor, y: Tensor, widths: Widths, function: Value) -> Tensor:
    return _compiled(function)(x, y, widths)


def by_geomloss(x: Tensor, y: Tensor, widths: Widths, backend: str = "tensorized") -> Tensor:
    """Biased; geomloss returns the half of a squared MMD."""
    return 2 * sum(SamplesLoss("gaussian", blur=width, backend=backend)(x, y) for width in widths)


@lru_cache
def _compiled(function: Value) -> Value:
    return torch.compile(function, dynamic=False)


def _dense(x: Tensor, y: Tensor, widths: Widths, profile: Callable[[Tensor, Widths], Tensor]) -> Tensor:
    n, m = len(x), len(y)
    half = profile(_squared_distances(x, x.detach()), widths).sum()
    xx = 2 * half - half.detach() - n * len(widths)
    yy = profile(_squared_distances(y, y), widths).sum() - m * len(widths)
    xy = profile(_squared_distances(x, y), widths).sum()
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    return torch.addmm(x.square().sum(1, keepdim=True) + y.square().sum(1), x, y.T, alpha=-2)


def _exponentials(sq: Tensor, widths: Widths) -> Tensor:
    return sum(torch.exp(sq * (-0.5 / width**2)) for width in widths)


def _squarings(sq: Tensor, widths: Widths) -> Tensor:
    """An exponential anew, or the one before to the 4th power: three of them for the six bandwidths."""
    total: Tensor | float = 0.0
    power = sq
    for rate, squarings in ladder(widths):
        if not squarings:
            power = torch.exp(sq * -rate)
        for _ in range(squarings):
            power = power.square()
        total = total + power
    return total


unbiased = partial(ours, backend="reference")
biased = partial(ours, backend="reference", estimator="biased")

CONTESTANTS = {
    "interpreg": Contestant(ours, unbiased),
    "interpreg closed form": Contestant(ours_closed, partial(ours_closed, backend="reference")),
    "interpreg tiled": Contestant(partial(ours, backend="tiled"), unbiased),
    "interpreg reference": Contestant(unbiased, unbiased, dense=True),
    "torch": Contestant(plain, unbiased, dense=True),
    "torch ladder": Contestant(laddered, unbiased, dense=True, laddered=True),
    "torch.compile": Contestant(partial(compiled, function=plain), unbiased, dense=True, compiled=True),
    "torch.compile ladder": Contestant(
        partial(compiled, function=laddered), unbiased, dense=True, laddered=True, compiled=True
    ),
    "geomloss": Contestant(by_geomloss, biased, dense=True),
    "geomloss KeOps": Contestant(
        partial(by_geomloss, backend="online"),
        biased,
        missing="" if find_spec("pykeops") else "pykeops is not installed",
    ),
}
OURS = [name for name in CONTESTANTS if name.startswith("interpreg")]
PEERS = [name for name in CONTESTANTS if name not in OURS]
HERE = [name for name, contestant in CONTESTANTS.items() if not contestant.missing]


def data(n: int, d: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Codes whose distribution is near the prior, and samples of the prior."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, n, d, generator=generator)
    return (0.9 * x + 0.1).to(device).requires_grad_(), y.to(device)


def step(name: str, x: Tensor, y: Tensor, widths: Widths, mode: str) -> Callable[[], object]:
    """The timed call: a value without gradients ("eval"), or a value and its gradient ("train")."""
    value = CONTESTANTS[name].value
    if mode == "eval":
        return torch.no_grad()(lambda: value(x, y, widths))
    return lambda: torch.autograd.grad(value(x, y, widths), x)


def gate(name: str, d: int, widths: Widths, device: str = "cpu") -> None:
    """Raise unless value and gradient agree with the reference in float64."""
    contestant = CONTESTANTS[name]
    x, y = data(GATE_SAMPLES, d, device)
    exact_x = x.detach().double().requires_grad_()
    exact = contestant.truth(exact_x, y.double(), widths)
    (slope,) = torch.autograd.grad(exact, exact_x)
    for mode in ("train", "eval"):
        with torch.set_grad_enabled(mode == "train"):
            value = contestant.value(x, y, widths)
        off = abs(value.item() - exact.item())
        if not off <= VALUE_TOLERANCE:
            raise AssertionError(f"{name}, d = {d}, {widths}, {mode}: {value.item()} is {off} off")
        if mode == "train":
            off = ((torch.autograd.grad(value, x)[0] - slope).abs().max() / slope.abs().max()).item()
            if not off <= GRADIENT_TOLERANCE:
                raise AssertionError(f"{name}, d = {d}, {widths}: a gradient is {off} of the largest off")
