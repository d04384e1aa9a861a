"""The speed at which interpolants change along their path."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.batch import Batch, Decode, Need
from interpreg.functional.derivative import METHODS, path_derivative, smoothness_loss
from interpreg.interpolator import Interpolator
from interpreg.regularizers.base import SingleTerm
from interpreg.regularizers.method_selection import select_method
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
            "auto": at the first call outside compiled code, the first of the three that runs on a few codes, can be
            trained, and agrees with finite differences; a warning gives the reason where that is not "forward". The
            trial calls the decoder some more times, without side effects. Compiled code without an earlier trial uses
            "forward".
        weight: lambda_S (paper: 0.1); at least 0.

    In DistributedDataParallel, parameters that do not influence the derivative (the last bias) get a gradient of zero.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; at a call, too few samples to mix.
        RuntimeError: at a call, a decoder that the method cannot differentiate; the message names another method.
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
        self._synchronised = isinstance(decoder, nn.Module) and any(
            isinstance(module, DistributedDataParallel) for module in decoder.modules()
        )

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
        self.selected: str | None = None

    def __call__(
        self, decode: Network, z: Tensor, direction: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The decoded codes and their derivative along ``direction``."""
        return path_derivative(decode, z, direction, method=self._method(mask, z, direction), module=self.decoder)

    def _method(self, mask: Tensor | None, z: Tensor, direction: Tensor) -> str:
        if self.method != "auto":
            return self.method
        if self.selected is not None:
            return self.selected
        if torch.compiler.is_compiling() or type(z) is not Tensor:  # no values to compare
            return "forward"
        if torch.is_inference_mode_enabled():  # no gradients for a trial, and tangents are lost
            return "finite"
        selection = select_method(self.decoder, z, direction, mask)
        self.selected = selection.method
        if selection.why:
            warn(
                f"AlphaSmoothness uses method={selection.method!r}, because {selection.why}; give method="
                f"{selection.method!r} to skip the trial"
            )
        return selection.method
