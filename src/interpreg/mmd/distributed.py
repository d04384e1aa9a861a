r"""The MMD of the global batch, the work divided among processes.

A process sweeps its own rows against all columns, gathered and detached. With own samples :math:`x_r`, those of the
other processes :math:`X_{-r}` and all prior samples Y,

.. math:: V = \sum_r \Big( a \, [xx(x_r) + xy(x_r, X_{-r})] + c \, xy(x_r, Y) \Big) + b \, yy(Y),

and because a pair of two processes' samples is in two of these sums, the gradient of V with respect to :math:`x_r` is
that of :math:`a \, xx(x_r) + 2 a \, xy(x_r, X_{-r}) + c \, xy(x_r, Y)`. It is multiplied by the number of processes,
because DistributedDataParallel divides by it.
"""

from typing import NamedTuple

import torch
from torch import Tensor, distributed

from interpreg.kernels import Kernel
from interpreg.mmd import dispatch
from interpreg.mmd.bandwidths import median_unit
from interpreg.mmd.closed_form import expectations
from interpreg.mmd.estimators import coefficients
from interpreg.mmd.request import Request
from interpreg.priors import Normal

Group = distributed.ProcessGroup | None


def world_size(group: Group = None) -> int:
    """The number of processes that share a batch; 1 without torch.distributed."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size(group)


def mmd2_to_prior(
    x: Tensor, y: Tensor | None, prior: Normal | None, kernel: Kernel, estimator: str, backend: str, group: Group
) -> Tensor:
    """The squared MMD between the codes of all processes and a prior: one value, and the gradient of own codes.

    Args:
        x: ``[n, d]``, this process's codes, fp32 or fp64; n may differ between processes.
        y, prior: this process's samples of a prior, ``[m, d]``, and None; or None and a normal prior, in closed form.
        kernel: with bandwidths that are numbers, or to be measured by the median rule.
        estimator: "unbiased" or "biased", of the global batch.
        backend, group: as for :func:`interpreg.functional.mmd2_to_prior`.

    Raises:
        ValueError: less than two samples in all, where the estimate is unbiased.
    """
    codes = _gather(x.detach(), group)
    samples = None if y is None else _gather(y, group)
    n, m = len(codes.all), None if samples is None else len(samples.all)
    if estimator == "unbiased" and min(n, m or n) < 2:
        raise ValueError(f"x: expected at least 2 samples over all processes, got {n} and {m or 'a prior'}")
    if kernel.needs_median and samples is not None:
        unit = median_unit(codes.all, samples.all)
        x, codes, samples = x / unit, *(_Gathered(*(each / unit for each in sets)) for sets in (codes, samples))
        kernel = kernel.resolved(1.0)
    coefs, constant = coefficients(estimator, n, m, None, None, kernel.at_zero, x.device)

    def within(a: Tensor, coef: Tensor) -> Tensor:
        return dispatch.value(Request(a, None, None, None, _at(0, coef), kernel, (True, False, False)), backend)

    def between(a: Tensor, b: Tensor, coef: Tensor) -> Tensor:
        if len(b) == 0:
            return a.new_zeros(())
        return dispatch.value(Request(a, b, None, None, _at(2, coef), kernel, (False, False, True)), backend)

    own, twice = within(x, coefs[0]), between(x, codes.others, 2 * coefs[0])
    value, slope = own.detach() + twice.detach() / 2, own + twice
    if prior is not None:
        request = Request(x, None, None, None, _at(3, coefs[3]), kernel, (False,) * 3, prior)
        potential = dispatch.value(request, backend)
        energy = expectations(kernel, prior, x.shape[1]).self_energy
        # the self-energy counts once, not once a process
        value, slope, constant = value + potential.detach() - energy, slope + potential, constant + energy
    elif samples is not None:
        across = between(x, samples.all, coefs[2])
        alone = within(samples.own, coefs[1]) + between(samples.own, samples.others, coefs[1])
        value, slope = value + across.detach() + alone, slope + across
    distributed.all_reduce(value, group=group)
    return (value + constant).to(x.dtype) + world_size(group) * (slope - slope.detach())


class _Gathered(NamedTuple):
    own: Tensor
    others: Tensor
    all: Tensor


def _gather(x: Tensor, group: Group) -> _Gathered:
    """Own rows, the others', and all in the order of ranks; exchanged with padding, because lengths may differ."""
    world, rank = world_size(group), distributed.get_rank(group)
    length = torch.tensor([len(x)], device=x.device)
    lengths = [torch.empty_like(length) for _ in range(world)]
    distributed.all_gather(lengths, length, group=group)
    counts = torch.cat(lengths).tolist()
    buffer = x.new_zeros(max(counts), x.shape[1])
    buffer[: len(x)] = x
    parts = [torch.empty_like(buffer) for _ in range(world)]
    distributed.all_gather(parts, buffer, group=group)
    rows = [part[:count] for part, count in zip(parts, counts, strict=True)]
    return _Gathered(x, torch.cat([x[:0], *rows[:rank], *rows[rank + 1 :]]), torch.cat(rows))


def _at(index: int, coef: Tensor) -> Tensor:
    """Coefficients of 0 but for one."""
    coefs = coef.new_zeros(4)
    coefs[index] = coef
    return coefs
