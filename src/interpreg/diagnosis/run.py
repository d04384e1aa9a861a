"""Diagnose a regularizer on one batch."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._networks import submodules_of
from interpreg.diagnosis import codes, findings, optimizers, trained
from interpreg.diagnosis.case import Case
from interpreg.diagnosis.result import Diagnosis, Finding
from interpreg.diagnosis.untouched import untouched
from interpreg.regularizers import Regularizer

CHECKS = (
    findings.not_finite, findings.data, codes.collapsed, codes.posteriors, findings.degenerate_mmd,
    trained.modes, trained.frozen_critics, trained.reached_networks, trained.pieces, trained.terms, trained.dwarfed,
    optimizers.optimizers, optimizers.steps, trained.processes,
)  # fmt: skip


def diagnose(
    reg: Regularizer, x: Tensor, *optimizers: torch.optim.Optimizer, mask: Tensor | None = None
) -> Diagnosis:
    """Run one batch and say in words what is wrong, without any effect on training.

    The networks run in the modes that they are in, so call it as the loop calls ``reg(x)``, on a batch as large as the
    loop's. Parameters, buffers, gradients, steps and states of random numbers are afterwards what they were. It takes
    as long as a few training steps. In a run of several processes every one of them must call it.

    It finds: losses and gradients that are not finite, and where that began; data that networks or losses do not
    expect; codes that are all equal, or elements of them that do not vary; an MMD that is degenerate at its bandwidths;
    critics that no loss trains, that the autoencoder's losses reach, or that share parameters with the autoencoder;
    networks and terms without a gradient; terms whose gradients at the autoencoder differ by a factor of 10,000;
    optimizers that lack parameters, or hold others; networks that are not synchronised, or differ, between processes.

    Args:
        reg: the regularizer.
        x: a batch ``[B, ...]``.
        optimizers: all that the loop steps; not checked when there is none.
        mask: of padded sequences, as for ``reg(x, mask=mask)``.

    Returns:
        The findings: empty, and false, where nothing is wrong. ``print`` it.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: lazy layers whose widths are not set; and whatever ``reg(x)`` raises, except for small batches.

    >>> encoder, decoder = nn.Linear(8, 2), nn.Linear(2, 8)
    >>> from interpreg import Reconstruction
    >>> diagnose(Reconstruction(encoder, decoder), torch.randn(16, 8)).kinds
    ()
    """
    reg = getattr(reg, "_orig_mod", reg)  # what torch.compile wrapped
    if not isinstance(reg, Regularizer):
        raise TypeError(f"reg: expected a regularizer, got {_checks.describe(reg)}")
    for optimizer in optimizers:
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(f"optimizers: expected optimizers, got {_checks.describe(optimizer)}")
    _checks.check_tensor("x", x)
    networks = (reg, reg.encoder, reg.decoder)
    for p in (p for network in networks for m in submodules_of(network) for p in m.parameters()):
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise ValueError("reg: expected layers whose widths are set, got lazy ones; call reg(x) once before")
    small = list(too_small(reg, x))
    if small:
        return Diagnosis(tuple(small))
    found: list[Finding] = []
    with warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad(), untouched(*networks):
        warnings.simplefilter("ignore")
        case = Case(reg, x.clone() if x.is_inference() else x.detach(), mask, optimizers)
        case.run()
        for check in CHECKS:
            found += check(case)
        return Diagnosis(tuple(found), case.table())


def too_small(reg: Regularizer, x: Tensor) -> Sequence[Finding]:
    """A batch that a term or a batch normalisation refuses."""
    try:
        for check in reg.plan().checks:
            check(len(x))
    except ValueError as error:
        return [Finding("batch_too_small", "error", str(error), "give a larger batch")]
    layers = [m for network in (reg, reg.encoder, reg.decoder) for m in submodules_of(network)]
    if len(x) == 1 and any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in layers):
        message = "x: one sample has no batch statistics, and a network normalises by them in training mode"
        return [Finding("batch_too_small", "error", message, "drop the last batch (drop_last=True)")]
    return []
