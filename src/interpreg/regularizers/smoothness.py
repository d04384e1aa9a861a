"""The speed at which interpolants change along their path."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from interpreg import _checks
from interpreg._networks import is_synchronised, modules_of, submodules_of
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.batch import Batch
from interpreg.functional.derivative import METHODS, derivative, smoothness_loss
from interpreg.interpolator import Interpolator
from interpreg.needs import Decode, Need
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.method_selection import check_repeats, select_method
from interpreg.regularizers.mixers import as_interpolator
from interpreg.regularizers.weights import WeightLike

Method = Literal["auto", "forward", "double-backward", "finite"]


class AlphaSmoothness(SingleTerm):
    r"""Term ``smoothness``: :math:`\overline{(\partial x_\mathrm{mix} / \partial\alpha)^2}`, least at constant speed.

    AEAI's :math:`\mathcal L_S` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a mean over the batch and over elements; with a
    padding mask over valid positions. The derivative is exact (:func:`interpreg.functional.path_derivative`), along the
    path of the interpolator; where each element has a coefficient, all grow at the same rate. Other terms of a sum use
    the interpolants of the same decoder call. Calls of the networks a batch: encoder 1, decoder 1, in forward mode.

    Args:
        encoder, decoder: the pair.
        interpolator: mixes the codes; when not given, the sum's interpolator, or else ACAI's. Not of
            ``kind="bernoulli"``, which has no path from code to code.
        method: "forward", "double-backward" or "finite", as for :func:`interpreg.functional.path_derivative`; or
            "auto": at the first call outside compiled code, and at the first in another mode (training, eval), the
            first of the three that runs on a few codes, can be trained, and agrees with finite differences, as do its
            gradients; a warning gives the reason where that is not "forward". The trial calls the decoder some more
            times, without side effects. Compiled code without an earlier trial uses "forward".
        weight: lambda_S (paper: 0.1); at least 0.

    In DistributedDataParallel, parameters that do not influence the derivative (the last bias) get a gradient of zero.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; at a call, too few samples to mix.
        RuntimeError: at a call, a decoder that the method cannot differentiate, or whose normalisations have a wrong
            gradient by that method (scripted ones, ``torch.layer_norm``); the message names another method.
    """

    name = "smoothness"

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        interpolator: Interpolator | None = None,
        method: Method = "auto",
        weight: WeightLike = 1e-1,
    ) -> None:
        _checks.check_one_of("method", method, ("auto", *METHODS))
        interpolator = as_interpolator(interpolator)
        if interpolator is not None:
            interpolator.check_path()
        super().__init__(encoder, decoder, weight=weight)
        self.interpolator = interpolator
        self._derivative = DerivativeOf(decoder, method)
        self._synchronised = is_synchronised(decoder)

    @property
    def method(self) -> str:
        """The method, as given to the constructor."""
        return self._derivative.method

    @override
    def needs(self) -> Sequence[Need]:
        return [Decode(self.interpolator, self._derivative)]

    @override
    def value(self, batch: Batch) -> Tensor:
        dx, mixed = batch.derivative(self.interpolator), batch.interpolants(self.interpolator)
        loss = smoothness_loss(dx, mixed.mask)
        # DistributedDataParallel requires a gradient of every parameter
        return loss + 0 * mixed.x_mix.reshape(-1)[0] if self._synchronised else loss


class DerivativeOf:
    """The derivative of a decoder along a path: by one method, or by the first that works at the first call."""

    def __init__(self, decoder: Network, method: str) -> None:
        self.decoder, self.method = decoder, method
        self._modules = modules_of(decoder)
        self._scripted = isinstance(decoder, torch.jit.ScriptFunction) or any(
            isinstance(module, torch.jit.ScriptModule) for module in submodules_of(decoder)
        )
        self._selected: dict[tuple[bool, ...], str] = {}
        self._checked = self._repeats = False

    def __call__(
        self, decode: Network, z: Tensor, direction: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The decoded codes and their derivative along ``direction``."""
        # asked here and not in functions below, each of which is compiled by itself where the graph breaks
        compiling = torch.compiler.is_compiling()
        if compiling and self._scripted:
            raise ValueError("decoder: expected one without scripted or traced parts in compiled code, got some")
        method = "forward" if self.method == "auto" else self.method
        if self.method == "auto" and not compiling and _has_values(z):
            method = self._select(z, direction, mask)
        elif method == "finite" and not (compiling or self._repeats) and _has_values(z):
            check_repeats(self.decoder, z, mask)
            self._repeats = True
        strict = not (compiling or self._checked) and torch.is_grad_enabled()
        decoded = derivative(decode, z, direction, method, self.decoder, strict=strict)
        self._checked |= strict
        return decoded

    def _select(self, z: Tensor, direction: Tensor, mask: Tensor | None) -> str:
        """The method that works in the decoder's present mode: checkpoints, for one, are often for training alone."""
        mode = tuple(module.training for module in self._modules)
        if mode not in self._selected:
            self._selected[mode], why = select_method(self.decoder, z, direction, mask)
            if why:
                warn(
                    f"AlphaSmoothness uses method={self._selected[mode]!r}, because {why}; give method="
                    f"{self._selected[mode]!r} to skip the trial"
                )
        return self._selected[mode]


def _has_values(z: Tensor) -> bool:
    """Whether codes have values for a trial: not under a transform of ``torch.func``."""
    return type(z) is Tensor and not torch._C._are_functorch_transforms_active()
