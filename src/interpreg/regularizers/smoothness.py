"""How fast interpolants change on their way from one image to another."""

import warnings
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import override

from interpreg import _checks
from interpreg._types import Network, Term
from interpreg.batch import Batch
from interpreg.functional.derivative import METHODS, path_derivative, smoothness_loss
from interpreg.interpolator import Interpolator
from interpreg.regularizers.base import Regularizer, as_interpolator
from interpreg.regularizers.trial import tried
from interpreg.regularizers.weights import Weight

Method = Literal["auto", "forward", "double-backward", "finite"]


class AlphaSmoothness(Regularizer):
    r"""Term ``smoothness``: :math:`\overline{(\partial x_\mathrm{mix} / \partial\alpha)^2}`, least at an even pace.

    AEAI's :math:`\mathcal L_S` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a mean over the batch and over elements; with a
    padding mask over valid positions. The derivative is exact (:func:`interpreg.functional.path_derivative`), along
    the path that the interpolator mixes on; where each element has a coefficient, all grow at the same rate. Where
    other terms of a sum want the interpolants too, they are those of the same decoder call.
    Calls of the networks a batch: encoder 1, decoder 1, in forward mode.

    Args:
        encoder, decoder: the pair.
        interpolator: what mixes; when not given, what the sum lends, or else ACAI's. Not of ``kind="bernoulli"``,
            which has no path from code to code.
        method: "forward", "double-backward" or "finite", as for :func:`interpreg.functional.path_derivative`; or
            "auto": at the first call outside compiled code, the first of the three that runs on a few codes, can be
            trained, and agrees with finite differences. It warns where that is not "forward", and why. The trial calls
            the decoder some more times and leaves no trace; with nothing decided, compiled code uses "forward".
        weight: lambda_S (paper: 0.1); at least 0.

    In DistributedDataParallel, parameters that do not influence the derivative (the last bias) get a gradient of zero.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; at a call, too few samples to mix.
        RuntimeError: at a call, a decoder through which the method does not go; the message says what to use.
    """

    name = "smoothness"
    weight = Weight()

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        interpolator: Interpolator | None = None,
        method: Method = "auto",
        weight: float = 1e-1,
    ) -> None:
        _checks.check_one_of("method", method, ("auto", *METHODS))
        _check_path(as_interpolator(interpolator))
        super().__init__(encoder, decoder)
        self.interpolator = interpolator
        self.method = method
        self.weight = weight
        self._decided: str | None = None
        self._synchronised = isinstance(decoder, nn.Module) and any(
            isinstance(module, DistributedDataParallel) for module in decoder.modules()
        )

    @override
    def announce(self, batch: Batch) -> None:
        batch.expect(self.interpolator, derive=partial(self._derive, batch.mask))

    @override
    def terms(self, batch: Batch) -> dict[str, Term]:
        dx = batch.derivative(self.interpolator, partial(self._derive, batch.mask))
        mixed = batch.interpolants(self.interpolator)
        value = smoothness_loss(dx, mixed.mask)
        if self._synchronised:  # which waits for a gradient of every parameter
            value = value + 0 * mixed.x_mix.reshape(-1)[0]
        return {"smoothness": Term(value, self.weight)}

    @override
    def lends(self) -> Interpolator | None:
        return self.interpolator

    @override
    def check_batch(self, size: int, lent: Interpolator) -> None:
        strategy = self.interpolator or lent
        _check_path(strategy)
        strategy.check_batch(size)

    def _derive(self, mask: Tensor | None, decode: Network, z: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        method = self._method(mask, z, direction)
        return path_derivative(decode, z, direction, method=method, module=self.decoder)

    def _method(self, mask: Tensor | None, z: Tensor, direction: Tensor) -> str:
        if self.method != "auto":
            return self.method
        if self._decided is not None:
            return self._decided
        if torch.compiler.is_compiling() or type(z) is not Tensor:  # nothing to compare: no values
            return "forward"
        if torch.is_inference_mode_enabled():  # where nothing can be tried, and tangents are lost
            return "finite"
        verdict = tried(self.decoder, z, direction, mask)
        self._decided = verdict.method
        if verdict.why:
            warnings.warn(
                f"AlphaSmoothness uses method={verdict.method!r}, because {verdict.why}; say method="
                f"{verdict.method!r} and nothing is tried",
                stacklevel=2,
            )
        return verdict.method


def _check_path(interpolator: Interpolator | None) -> None:
    if interpolator is not None and interpolator.kind == "bernoulli":
        raise ValueError(
            "interpolator: expected one with a path from code to code, got kind='bernoulli'; use 'linear', "
            "'spherical', 'multidimensional' or 'convex'"
        )
