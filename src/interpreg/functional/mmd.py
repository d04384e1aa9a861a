"""The squared maximum mean discrepancy between two samples, or between a sample and a prior."""

import math

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import full_precision, widen
from interpreg.kernels import Energy, Kernel, as_kernel
from interpreg.mmd import dispatch, distributed, estimators, sliced
from interpreg.mmd.bandwidths import median_unit
from interpreg.mmd.closed_form import use_closed_form
from interpreg.mmd.degenerate import warn_if_degenerate
from interpreg.mmd.request import Request
from interpreg.priors import Normal, Prior, as_prior

SWEPT = estimators.SWEPT
ESTIMATORS = (*SWEPT, "linear", "sliced")


def mmd2(
    x: Tensor,
    y: Tensor,
    *,
    kernel: Kernel | None = None,
    estimator: str = "unbiased",
    backend: str = "auto",
    x_weights: Tensor | None = None,
    y_weights: Tensor | None = None,
    clamp: bool = False,
    slices: int = 256,
    generator: torch.Generator | None = None,
) -> Tensor:
    r""":math:`\mathrm{MMD}^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)` (MIDR-AE, eq. 5; Gretton et al. 2012).

    Differentiable in ``x`` and ``y`` to any order; second derivatives and forward mode use the dense reference. The
    fused backends store nothing of size n x m. The unbiased estimate is negative half of the time where the
    distributions agree.

    Args:
        x: ``[n, d]``, floating point; half precision is computed in fp32.
        y: ``[m, d]``.
        kernel: from :mod:`interpreg.kernels` or your own; WAE's inverse multiquadric when not given.
        estimator: "unbiased"; "biased", never negative; "linear", over disjoint pairs, O(n) and noisy (Gretton et al.
            2012, Lemma 14); "sliced", unbiased over random slices, O(n log n) each, for the ``Energy`` kernel.
        backend: "auto", or one of "reference", "tiled", "native" (CPU, fp32), "triton" (CUDA, fp32).
        x_weights, y_weights: ``[n]`` and ``[m]``, at least 0, used divided by their sum; for the unbiased estimate at
            least two above 0. Derivatives of weights go through the dense reference.
        clamp: replace negative estimates by 0, as MIDR-AE's code does, which removes the gradient half of the time at
            the optimum. For comparison.
        slices, generator: of the sliced estimator.

    Returns:
        0-dim, in fp32 or, for fp64 inputs, in fp64.

    Raises:
        TypeError: samples or weights that are not floating point tensors; a ``kernel`` that is none.
        ValueError: widths that differ, too few samples, weights of a wrong shape, an unknown estimator, a backend that
            is unknown or unavailable.

    Example:
        >>> x, y = torch.randn(256, 8), torch.randn(200, 8) + 1
        >>> bool(mmd2(x, y) > 0.05), mmd2(x, y, kernel=Energy()).shape
        (True, torch.Size([]))
    """
    kernel = as_kernel(kernel)
    _checks.check_one_of("estimator", estimator, ESTIMATORS)
    _checks.check_one_of("backend", backend, dispatch.BACKENDS)
    _check_samples(least=1 if estimator == "biased" else 2, x=x, y=y)
    _check_widths(x, y)
    u, v = _weights("x_weights", x_weights, x), _weights("y_weights", y_weights, y)
    with full_precision(x):
        x, y = widen(x, y)
        spread = math.sqrt(x.shape[1])
        if kernel.needs_median:
            unit = median_unit(x, y, u, v)
            x, y, spread = x / unit, y / unit, 1.0
        kernel = kernel.resolved(spread)
        warn_if_degenerate(kernel, x, y)
        if estimator in SWEPT:
            value = _swept(x, y, u, v, kernel, estimator, backend)
        else:
            if u is not None or v is not None:
                raise ValueError(f"x_weights, y_weights: expected None with estimator={estimator!r}, got weights")
            value = _linear(x, y, kernel) if estimator == "linear" else _sliced(x, y, kernel, slices, generator)
    return value.clamp(min=0) if clamp else value


def mmd2_to_prior(
    x: Tensor,
    *,
    prior: object = "normal",
    kernel: Kernel | None = None,
    estimator: str = "unbiased",
    closed_form: bool | str = "auto",
    samples: int | Tensor | None = None,
    weights: Tensor | None = None,
    clamp: bool = False,
    backend: str = "auto",
    slices: int = 256,
    generator: torch.Generator | None = None,
    group: distributed.Group = None,
) -> Tensor:
    r"""The squared MMD between codes and a prior.

    In closed form, for a normal prior (see :mod:`interpreg.mmd.closed_form`):
    :math:`E k(x, x') - 2 E_x E_z k(x, z) + E k(z, z')`, where only the first expectation is over samples: no
    sampling noise of the prior, and one block of pairs instead of three. Otherwise against samples of the prior.

    Args:
        x: ``[n, d]`` codes, floating point.
        prior: "normal", "ball", "sphere", a prior from :mod:`interpreg.priors`, a ``torch.distributions`` object, or a
            callable of the number of samples.
        kernel: as for :func:`mmd2`; bandwidths by dimension follow the prior's spread.
        estimator: as for :func:`mmd2`; in closed form "unbiased" or "biased", of :math:`E k(x, x')`.
        closed_form: "auto": where there is one; True: an error where there is none; False: never.
        samples: how many samples of the prior to draw, or ``[m, d]`` of them; as many as codes when not given.
        weights: ``[n]``, as ``x_weights`` of :func:`mmd2`.
        clamp, backend, slices: as for :func:`mmd2`.
        generator: of the samples and the slices.
        group: processes whose codes make one batch (:mod:`interpreg.mmd.distributed`); this one alone when not given.

    Returns:
        0-dim, in fp32 or, for fp64 inputs, in fp64.

    Raises:
        TypeError, ValueError: as for :func:`mmd2`; an unknown prior; no closed form for ``closed_form=True``;
            with a group, weights or an estimator that is neither "unbiased" nor "biased".

    Example:
        >>> codes = torch.randn(512, 16)
        >>> mmd2_to_prior(codes).abs() < 0.01, mmd2_to_prior(3 * codes) > 0.1
        (tensor(True), tensor(True))
    """
    prior, kernel = as_prior(prior), as_kernel(kernel)
    _checks.check_one_of("estimator", estimator, ESTIMATORS)
    is_closed = use_closed_form(closed_form, prior, kernel, estimator)
    normal = prior if is_closed and isinstance(prior, Normal) else None
    _check_samples(x=x, least=0 if group is not None else 1 if estimator == "biased" else 2)
    u = _weights("weights", weights, x)
    if group is not None and (u is not None or estimator not in SWEPT):
        conflict = f"estimator={estimator!r}" if u is None else "weights, which are not gathered"
        size = distributed.world_size(group)
        raise ValueError(f"group: expected None (MMDPrior: sync='local') with {conflict}, got {size} processes")
    if not kernel.needs_median:
        spread = prior.spread(x.shape[1])
        kernel = kernel.resolved(math.sqrt(x.shape[1]) if spread is None else spread)
    y = None if normal else _prior_samples(prior, samples, x, generator)
    if y is not None and group is None:
        return mmd2(
            x, y, kernel=kernel, estimator=estimator, backend=backend, x_weights=u, clamp=clamp, slices=slices,
            generator=generator if estimator == "sliced" else None,
        )  # fmt: skip
    with full_precision(x):
        if y is None:
            (x,) = widen(x)
        else:
            _check_widths(x, y)
            x, y = widen(x, y)
        # the median rule adapts to the data, so it cannot be degenerate
        if not kernel.needs_median:
            warn_if_degenerate(kernel, x, y, normal.spread(x.shape[1]) if normal else None)
        if group is not None:
            value = distributed.mmd2_to_prior(x, y, normal, kernel, estimator, backend, group)
        else:
            value = _swept(x, None, u, None, kernel, estimator, backend, normal)
    return value.clamp(min=0) if clamp else value


def _prior_samples(
    prior: Prior, samples: int | Tensor | None, x: Tensor, generator: torch.Generator | None
) -> Tensor:
    if isinstance(samples, Tensor):
        return samples
    count = len(x) if samples is None else _checks.as_count("samples", samples, low=2)
    return prior.sample(count, widen(x)[0].detach(), generator)


def _swept(
    x: Tensor, y: Tensor | None, u: Tensor | None, v: Tensor | None, kernel: Kernel, estimator: str, backend: str,
    prior: Normal | None = None,
) -> Tensor:  # fmt: skip
    if u is not None or v is not None:
        u, v = _shares(u, x), None if y is None else _shares(v, y)
    m = None if y is None else len(y)
    coefs, constant = estimators.coefficients(estimator, len(x), m, u, v, kernel.at_zero, x.device)
    request = Request(x, y, u, v, coefs, kernel, (True, y is not None, y is not None), prior)
    return _plus(dispatch.value(request, backend), constant)


def _plus(value: Tensor, constant: float | Tensor) -> Tensor:
    if isinstance(constant, Tensor):
        return (value + constant).to(value.dtype)
    # adding a Python number would make tangents float64
    return value + torch.full_like(value, constant) if constant else value


def _linear(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """h((x1, y1), (x2, y2)) over disjoint pairs of pairs."""
    pairs = min(len(x), len(y)) // 2
    x1, x2, y1, y2 = x[:pairs], x[pairs : 2 * pairs], y[:pairs], y[pairs : 2 * pairs]

    def k(a: Tensor, b: Tensor) -> Tensor:
        return kernel.profile((a - b).square().sum(1))

    return (k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1)).mean()


def _sliced(x: Tensor, y: Tensor, kernel: Kernel, slices: int, generator: torch.Generator | None) -> Tensor:
    if not isinstance(kernel, Energy):
        raise ValueError(f"kernel: expected Energy(), whose MMD equals its sliced version, got {kernel}")
    if dispatch.is_transformed():
        raise RuntimeError(
            "estimator: expected one that torch.func and forward-mode derivatives can pass through, got 'sliced'; "
            "use 'unbiased'"
        )
    raw = sliced.energy_sums(x, y, _checks.as_count("slices", slices, low=1), generator)
    coefs, _ = estimators.coefficients("unbiased", len(x), len(y), None, None, 0.0, x.device)
    return (raw * coefs[:3].to(x.dtype)).sum()


def _check_samples(*, least: int, **samples: Tensor) -> None:
    for name, each in samples.items():
        _checks.check_tensor(name, each)
        if each.ndim != 2 or each.shape[1] == 0:
            raise ValueError(
                f"{name}: expected samples of shape [n, d] (codes.flatten(1)), got {_checks.describe(each)}"
            )
        if each.shape[0] < least:
            raise ValueError(
                f"{name}: expected at least {least} sample{'s' * (least > 1)}, got {_checks.describe(each)}"
                + (" (estimator='biased' takes one)" if len(each) == 1 else "")
            )


def _check_widths(x: Tensor, y: Tensor) -> None:
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"y: expected samples as wide as x, {x.shape[1]}, got {_checks.describe(y)}")
    if x.device != y.device:
        raise ValueError(f"y: expected a tensor on the device of x, {x.device}, got one on {y.device}")


def _weights(name: str, weights: Tensor | None, samples: Tensor) -> Tensor | None:
    if weights is not None:
        _checks.check_tensor(name, weights)
        _checks.check_shape(name, weights, samples.shape[:1], "one weight a sample")
    return weights


def _shares(weights: Tensor | None, samples: Tensor) -> Tensor:
    """The weights divided by their sum, equal where there are none."""
    weights = samples.new_ones(len(samples)) if weights is None else weights.to(samples.dtype)
    return weights / weights.sum()
