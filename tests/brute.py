"""The MMD by brute force: numpy in float64, differences broadcast, every formula written out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from interpreg.kernels import RBF, Energy, InverseMultiquadric, Kernel, Laplacian, RationalQuadratic

Formula = Callable[[np.ndarray], np.ndarray]
WIDTHS = (0.7, 1.4, 3.0, 11.0)
ALPHA = 0.8


class Case(NamedTuple):
    """A kernel, its values and its derivative for squared distances, its value at 0."""

    kernel: Kernel
    value: Formula
    slope: Formula
    at_zero: float


def _rbf(t: np.ndarray) -> np.ndarray:
    return sum(np.exp(-t / (2 * w**2)) for w in WIDTHS)


def _rbf_slope(t: np.ndarray) -> np.ndarray:
    return sum(-np.exp(-t / (2 * w**2)) / (2 * w**2) for w in WIDTHS)


def _imq(t: np.ndarray) -> np.ndarray:
    return sum(2 * w**2 / (2 * w**2 + t) for w in WIDTHS)


def _imq_slope(t: np.ndarray) -> np.ndarray:
    return sum(-(2 * w**2) / (2 * w**2 + t) ** 2 for w in WIDTHS)


def _rq(t: np.ndarray) -> np.ndarray:
    return sum((1 + t / (2 * ALPHA * w**2)) ** -ALPHA for w in WIDTHS)


def _rq_slope(t: np.ndarray) -> np.ndarray:
    return sum(-((1 + t / (2 * ALPHA * w**2)) ** (-ALPHA - 1)) / (2 * w**2) for w in WIDTHS)


def _laplacian(t: np.ndarray) -> np.ndarray:
    return sum(np.exp(-np.sqrt(t) / w) for w in WIDTHS)


def _laplacian_slope(t: np.ndarray) -> np.ndarray:
    r = np.sqrt(t)
    return sum(np.where(r > 0, -np.exp(-r / w) / (2 * w * np.where(r > 0, r, 1)), 0) for w in WIDTHS)


def _energy(t: np.ndarray) -> np.ndarray:
    return -np.sqrt(t)


def _energy_slope(t: np.ndarray) -> np.ndarray:
    r = np.sqrt(t)
    return np.where(r > 0, -1 / (2 * np.where(r > 0, r, 1)), 0)


CASES = {
    "rbf": Case(RBF(WIDTHS), _rbf, _rbf_slope, 4.0),
    "imq": Case(InverseMultiquadric(WIDTHS), _imq, _imq_slope, 4.0),
    "rq": Case(RationalQuadratic(WIDTHS, alpha=ALPHA), _rq, _rq_slope, 4.0),
    "laplacian": Case(Laplacian(WIDTHS), _laplacian, _laplacian_slope, 4.0),
    "energy": Case(Energy(), _energy, _energy_slope, 0.0),
}


def squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances of all rows, ``[n, m]``."""
    return np.stack([np.square(row - y).sum(1) for row in x])


def plain(tensor: Tensor) -> np.ndarray:
    """A tensor as an array in float64."""
    return tensor.detach().double().numpy()


class Truth(NamedTuple):
    """Sums (xx without the diagonal, yy likewise, xy), an estimate, and its gradients."""

    sums: np.ndarray
    value: float
    grad_x: np.ndarray
    grad_y: np.ndarray


def _pull(slope: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """sum_j slope_ij 2 (x_i - y_j): the gradient with respect to x_i of the sum over j of k(x_i, y_j)."""
    return np.stack([2 * row @ (own - y) for row, own in zip(slope, x, strict=True)])


def combination(
    case: Case, x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, coefs: tuple[float, float, float]
) -> Truth:
    """The sums weighted by u and v, and coefs . sums with its gradients."""
    pairs = [(x, x, u, u), (y, y, v, v), (x, y, u, v)]
    values, slopes = [], []
    for index, (a, b, p, q) in enumerate(pairs):
        sq, weights = squared(a, b), p[:, None] * q[None, :]
        if index < 2:
            weights = weights * (1 - np.eye(len(a)))
        values.append((case.value(sq) * weights).sum())
        slopes.append(case.slope(sq) * weights)
    xx, yy, xy = coefs
    grad_x = 2 * xx * _pull(slopes[0], x, x) + xy * _pull(slopes[2], x, y)
    grad_y = 2 * yy * _pull(slopes[1], y, y) + xy * _pull(slopes[2].T, y, x)
    return Truth(np.array(values), float(np.dot(coefs, values)), grad_x, grad_y)


def mmd2(
    case: Case, x: Tensor, y: Tensor, estimator: str = "unbiased", u: Tensor | None = None, v: Tensor | None = None
) -> Truth:
    """The estimate with weights u and v, and its gradients."""
    p, q = (np.ones(len(each)) if w is None else plain(w) for each, w in ((x, u), (y, v)))
    p, q = p / p.sum(), q / q.sum()
    repeats = (p**2).sum(), (q**2).sum()
    if estimator == "unbiased":
        coefs, constant = (1 / (1 - repeats[0]), 1 / (1 - repeats[1]), -2.0), 0.0
    else:
        coefs, constant = (1.0, 1.0, -2.0), case.at_zero * sum(repeats)
    truth = combination(case, plain(x), plain(y), p, q, coefs)
    return truth._replace(value=truth.value + constant)
