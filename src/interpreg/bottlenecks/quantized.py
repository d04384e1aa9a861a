"""Codes out of a codebook."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg._numerics import full_precision, wide_dtype
from interpreg._types import Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.means import check_positions, has_positions, mean

CODES = ("quantized", "continuous")


class Quantized(NamedTuple):
    """The auxiliary output of a :class:`VectorQuantizer`."""

    indices: Tensor
    """Which codebook vectors were chosen: the code's shape without the quantized axis; -1 where a mask is False."""
    commitment: Tensor
    r"""The mean of :math:`(z - \mathrm{sg}(e))^2` over the batch and over elements, 0-dim."""


class VectorQuantizer(Bottleneck):
    r"""An encoder whose code is made of codebook vectors (VQ-VAE, van den Oord, Vinyals, Kavukcuoglu 2017).

    .. math:: e = \arg\min_{e_k} \lVert z - e_k \rVert, \qquad z_q = z + \mathrm{sg}(e - z)

    for each vector along ``axis`` of the code; sg stops gradients, so that the encoder gets the decoder's gradient
    straight through. The codebook is a moving average of the codes that are nearest (appendix A.1 there), in buffers,
    and has no loss. By vector-quantize-pytorch (``pip install 'interpreg[vq]'``). The auxiliary output, a
    :class:`Quantized`, is what :class:`interpreg.Commitment` asks for.

    Mixed codes lie between codebook vectors; ``vq.before(decoder)`` is a decoder that quantizes what it is given, by
    the same codebook. With ``codes="continuous"`` the code is the network's output, not quantized, so that
    interpolation happens before quantization, as in ACAI's published VQ-VAE, and the decoder must be that one::

        encoder = VectorQuantizer(network, dim=16, codes="continuous")
        decoder = encoder.before(decoder)
        reg = VQVAERegularizer(encoder, decoder) + ACAIRegularizer(encoder, decoder, reconstruction=None)

    The codebook moves when the encoder is called in training mode, and never in the decoder; the encoder's codes are
    then searched for twice, the second time in the codebook as it has just become.

    A fresh copy, as a critic is made of, neither quantizes nor has a codebook. ``torch.compile(fullgraph=True)`` and
    training without waiting for the device work with the default options; k-means, the replacement of dead codes and
    padding masks choose vectors by their values, which waits and is not traced whole. Under DistributedDataParallel
    make it after the process group, so that the library averages the codebook over processes.

    Args:
        network: the encoder inside.
        dim: how long the codebook's vectors are: the length of ``axis``.
        quantizer: instead of ``dim``, a module of your own for ``[B, N, dim]`` that returns (quantized, indices, loss),
            as those of vector-quantize-pytorch do; it is called with ``freeze_codebook=True`` before a decoder, and
            with ``mask=`` where there is one.
        codebook_size: K, how many vectors there are; 512 when not given. Not of a ``quantizer``, which has its own.
        axis: of the code, 1 for maps, -1 for sequences. A code ``[B, d]`` is one vector, ``[B]`` a vector of 1.
        codes: "quantized" or "continuous", see above.
        options: further arguments of ``vector_quantize_pytorch.VectorQuantize``. Different from the library's, and as
            in the paper, ``decay=0.99`` and ``rotation_trick=False``. Weights of losses that are switched on here count
            within the commitment.

    Attributes:
        quantizer: the library's module; None in a fresh copy.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; at a call, codes without that axis, or of
            another length there.
        ImportError: the library is not installed.
    """

    def __init__(
        self,
        network: Network,
        *,
        dim: int | None = None,
        quantizer: nn.Module | None = None,
        codebook_size: int | None = None,
        axis: int = 1,
        codes: Literal["quantized", "continuous"] = "quantized",
        **options: Any,
    ) -> None:
        _checks.check_network("network", network)
        if (dim is None) == (quantizer is None):
            raise TypeError(
                "dim: expected the length of the codebook's vectors or else a quantizer=, got "
                f"{'neither' if dim is None else 'both'}"
            )
        if quantizer is not None and not isinstance(quantizer, nn.Module):
            raise TypeError(f"quantizer: expected an nn.Module, got {_checks.describe(quantizer)}")
        if quantizer is not None and options:
            raise TypeError(f"{next(iter(options))}: expected no options beside a quantizer of your own")
        if quantizer is not None:
            _checks.check_unused("codebook_size", codebook_size, "a quantizer of your own")
        codebook_size = 512 if codebook_size is None else codebook_size
        if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
            raise ValueError(f"axis: expected an int other than 0, the batch's axis, got {_checks.describe(axis)}")
        _checks.check_one_of("codes", codes, CODES)
        if dim is not None:
            dim = _checks.as_count("dim", dim, low=1)
            quantizer = _quantizer(dim, _checks.as_count("codebook_size", codebook_size, low=1), options)
        super().__init__(network)
        self.quantizer = quantizer
        self.dim, self.axis, self.codes = dim, axis, codes

    @override
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The codes, quantized unless ``codes="continuous"``."""
        z = _checks.as_floats("network", self.encoded(x, mask))
        if self.passthrough:
            return z
        quantized, aux = self._quantize(z, mask)
        z = quantized if self.codes == "quantized" else z
        self.keep_aux(z, aux)
        return z

    def before(self, decoder: Network) -> nn.Module:
        """A decoder that quantizes the codes it is given, by this codebook, which stays as it is, straight through.

        It holds ``decoder``'s parameters and none of the codebook's, which are the encoder's.

        Raises:
            TypeError: not a module or another callable.
        """
        return _Before(self, decoder)

    @override
    def make_passthrough(self) -> None:
        super().make_passthrough()
        self.quantizer = None

    @override
    def join_aux(self, parts: Sequence[Quantized]) -> Quantized:
        """The indices of all parts in a row, and the mean of their commitments by the number of vectors."""
        counts = torch.stack([(part.indices >= 0).sum() for part in parts])
        commitments = torch.stack([part.commitment for part in parts])
        commitment = (commitments * counts).sum() / counts.sum().clamp_min(1)
        return Quantized(torch.cat([part.indices for part in parts]), commitment)

    def quantized(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Codes quantized by the codebook, which stays as it is; gradients go straight through in training mode."""
        return self._quantize(z, mask, freeze_codebook=True)[0]

    def _quantize(self, z: Tensor, mask: Tensor | None, **options: Any) -> tuple[Tensor, Quantized]:
        assert self.quantizer is not None
        vectors = z[:, None] if z.ndim == 1 else z
        axis = self.axis % vectors.ndim if -vectors.ndim < self.axis < vectors.ndim else 0
        if axis == 0 or (self.dim is not None and vectors.shape[axis] != self.dim):
            raise ValueError(
                f"network: expected codes {self.dim or 'any'} long along axis {self.axis}, got {_checks.describe(z)}"
            )
        # distances and their mean square are taken in fp32 at least
        last = vectors.movedim(axis, -1).to(wide_dtype(z))
        flat = last.reshape(len(last), -1, last.shape[-1])
        valid = None
        check_positions("network", vectors, mask)
        if mask is not None and has_positions(vectors, mask):
            if axis == 1:
                raise ValueError("axis: expected -1 beside a mask, whose positions are axis 1 of the codes, got 1")
            valid = mask.view(*mask.shape, *[1] * (last.ndim - 3)).expand(last.shape[:-1]).flatten(1)
            options["mask"] = valid
        with full_precision(flat):
            quantized, indices, loss = self.quantizer(flat, **options)
        if not self.training:  # when the library computes none
            loss = mean((flat - quantized).square(), valid)
        quantized = quantized.reshape(last.shape).movedim(-1, axis).reshape(z.shape).to(z.dtype)
        return quantized, Quantized(indices.reshape(*last.shape[:-1], *indices.shape[2:]), loss.mean())


class _Before(nn.Module):
    """A decoder behind a quantizer."""

    def __init__(self, bottleneck: VectorQuantizer, decoder: Network) -> None:
        _checks.check_network("decoder", decoder)
        super().__init__()
        self.decoder = decoder
        self._bottleneck = (bottleneck,)  # in a tuple, so that its parameters are the encoder's alone

    @override
    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        z = self._bottleneck[0].quantized(z, mask)
        return self.decoder(z) if mask is None else self.decoder(z, mask)


def _quantizer(dim: int, codebook_size: int, options: dict[str, Any]) -> nn.Module:
    library = optional_import("vector_quantize_pytorch", "vq", "VectorQuantizer")
    options = {"decay": 0.99, "rotation_trick": False} | options
    quantizer: nn.Module = library.VectorQuantize(dim=dim, codebook_size=codebook_size, **options)
    if not options.get("kmeans_init", False):
        # The library asks at every call whether k-means has begun, a value on the device; without k-means it has.
        for module in quantizer.modules():
            if hasattr(module, "init_embed_"):
                module.init_embed_ = _begun  # type: ignore[assignment]  # a method, for mypy
    return quantizer


def _begun(data: Tensor, mask: Tensor | None = None) -> None:
    """Nothing to do."""
