"""How codes are mixed: which coefficient, with which partner, by which formula."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._types import Mix, Network
from interpreg.functional import mix, path, slerp

KINDS = ("linear", "multidimensional", "spherical", "bernoulli", "convex")
PAIRINGS = ("reverse", "permutation", "prior")
GRAINS = ("channel", "element")

Kind = Literal["linear", "multidimensional", "spherical", "bernoulli", "convex"]
Pairing = Literal["reverse", "permutation", "prior"] | Callable[[Tensor], Tensor]


class Interpolator(nn.Module):
    r"""Mixes every code of a batch with a partner.

    .. math:: z_\mathrm{mix} = \alpha z + (1 - \alpha) z_\mathrm{partner}

    Made around a pair of networks it takes images: ``interpolator(x)`` returns the interpolants, and
    :meth:`path` walks between images. Made without a pair it is a strategy to hand to the terms, and
    :meth:`path` walks between codes. In a sum of regularizers it adds no term and lends its interpolants to
    every part that names no interpolator of its own.

    Args:
        encoder, decoder: the pair, or neither.
        kind: what the coefficient is and how it mixes.

            - ``"linear"``: one coefficient a sample, drawn from ``alpha_range`` (ACAI, section 2.1).
            - ``"multidimensional"``: one a code element, independently (MIDR-AE, eq. 4).
            - ``"spherical"``: one a sample, along the great circle (:func:`interpreg.functional.slerp`).
            - ``"bernoulli"``: each channel or element (``grain``) is taken whole, from the own code with a
              probability drawn once a sample from ``alpha_range`` (AMR's "Bernoulli mixup"); the coefficient
              is the mask of zeros and ones.
            - ``"convex"``: ``ways`` codes with weights from the flat Dirichlet distribution (AMR's k-way
              mixup); the coefficient is 1 - the largest weight, in [0, 1 - 1/ways], which for two ways is
              the folded coefficient.
        alpha_range: (low, high) within [0, 1]; the coefficient is uniform on it. The default, (0, 0.5), is
            ACAI's: folding u ~ U(0, 1) to 0.5 - \|u - 0.5\| leaves no doubt which of the two codes is the
            nearer one. ``"convex"`` has no use for it.
        pairing: who the partner is.

            - ``"reverse"``: the batch backwards, as published. The middle sample of an odd batch is its own
              partner, so that nothing is mixed there; its coefficient is said to be 0.
            - ``"permutation"``: a fresh random cyclic permutation, so that nobody is their own partner. The
              default for "convex".
            - ``"prior"``: a draw from ``prior``.
            - a callable: given the codes, it returns their partners.
        grain: of "bernoulli": "channel" (axis 1 of the code, constant over all further axes) or "element".
        ways: of "convex": how many codes are mixed, at least 2.
        prior: for ``pairing="prior"``: a callable that is given the codes and returns draws of their shape;
            standard normal when not given.
        generator: where randomness comes from; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, an unknown name, a range outside [0, 1].

    >>> strategy = Interpolator(alpha_range=(0.0, 1.0), pairing="permutation")
    >>> strategy.mix(torch.randn(8, 16)).shape
    torch.Size([8, 16])
    """

    def __init__(
        self,
        encoder: Network | None = None,
        decoder: Network | None = None,
        *,
        kind: Kind = "linear",
        alpha_range: tuple[float, float] = (0.0, 0.5),
        pairing: Pairing | None = None,
        grain: Literal["channel", "element"] = "channel",
        ways: int = 2,
        prior: Callable[[Tensor], Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.is_one_of("kind", kind, KINDS)
        _checks.is_one_of("grain", grain, GRAINS)
        _checks.is_count("ways", ways, low=2)
        pairing = pairing or ("permutation" if kind == "convex" else "reverse")
        if not callable(pairing):
            _checks.is_one_of("pairing", pairing, PAIRINGS)
        if pairing == "reverse" and kind == "convex":
            raise ValueError(
                "pairing: expected 'permutation', 'prior' or a callable for kind='convex', got 'reverse'"
            )
        if (encoder is None) != (decoder is None):
            missing = "encoder" if encoder is None else "decoder"
            raise TypeError(f"{missing}: expected a pair, encoder and decoder, or neither; got None")
        if encoder is not None:
            _checks.is_network("encoder", encoder)
            _checks.is_network("decoder", decoder)
        super().__init__()
        self.kind = kind
        self.alpha_range = _checks.is_interval("alpha_range", alpha_range)
        self.pairing = pairing
        self.grain = grain
        self.ways = ways
        self.prior = prior
        self.generator = generator
        self._pair = (encoder, decoder)  # in a tuple, so that they are not this module's parameters

    @property
    def pair(self) -> tuple[Network | None, Network | None]:
        """The encoder and the decoder, or two Nones."""
        return self._pair

    def forward(self, x: Tensor) -> Tensor:
        """The interpolants of a batch of images: ``decoder(mix(encoder(x)))``."""
        encoder, decoder = self._networks()
        _checks.is_tensor("x", x)
        z = encoder(x)
        _checks.is_tensor("encoder", z)
        _checks.has_batch("encoder", z, len(x))
        return decoder(self.sample(z).z_mix)

    def mix(self, z: Tensor, z_partner: Tensor | None = None, alpha: Tensor | float | None = None) -> Tensor:
        """Mixed codes shaped like ``z``; partners and coefficients are drawn unless given.

        A given ``alpha`` is mixed along the great circle if ``kind="spherical"`` and linearly otherwise.
        """
        if z_partner is not None and alpha is not None:
            return (slerp if self.kind == "spherical" else mix)(z, z_partner, alpha)
        return self.sample(z, z_partner, alpha).z_mix

    def sample(self, z: Tensor, z_partner: Tensor | None = None, alpha: Tensor | float | None = None) -> Mix:
        """Mixed codes, and the coefficients and partners that made them; those not given are drawn.

        Raises:
            TypeError: ``z`` is not a floating point tensor.
            ValueError: fewer than two samples where partners come from the batch itself.
        """
        _checks.is_tensor("z", z)
        if z_partner is None:
            self.check_batch(len(z))
        if self.kind == "convex" and z_partner is None and alpha is None:
            return self._convex(z)
        middle_alone = self.pairing == "reverse" and z_partner is None and len(z) % 2 == 1
        z_partner = self._partners(z)[0] if z_partner is None else z_partner
        if alpha is None:
            coefficient = self._coefficients(z)
            if middle_alone:  # nothing is mixed in the middle of an odd batch, and the critic is told so
                rows = torch.arange(len(z), device=z.device).view(-1, *[1] * (z.ndim - 1))
                coefficient = coefficient * (rows != len(z) // 2)
        else:
            coefficient = torch.as_tensor(alpha, dtype=_wide(z), device=z.device)
            if coefficient.ndim == 1:
                coefficient = coefficient.view(-1, *[1] * (z.ndim - 1))  # [B, 1, ...]
        return Mix(self.mix(z, z_partner, coefficient), coefficient, z_partner)

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if ``size`` samples are too few to find partners among themselves."""
        least = self.ways if self.kind == "convex" else 2
        if self.pairing in ("reverse", "permutation") and size < least:
            raise ValueError(
                f"x: expected a batch of at least {least} samples to mix with each other, got {size}; "
                "drop the last batch (drop_last=True), or use pairing='prior'"
            )

    def path(self, start: Tensor, end: Tensor, steps: int = 16) -> Tensor:
        """``steps`` evenly spaced points from ``start`` to ``end``, both ends included: ``[B, steps, ...]``.

        With a pair of networks: from images to images, through their codes (so the ends are reconstructions).
        Without: from codes to codes. Spherical for ``kind="spherical"``, straight for every other kind.
        """
        kind = "spherical" if self.kind == "spherical" else "linear"
        if self._pair[0] is None:
            return path(start, end, steps, kind)
        encoder, decoder = self._networks()
        _checks.is_tensor("start", start)
        _checks.is_tensor("end", end)
        codes = path(encoder(start), encoder(end), steps, kind)
        images = decoder(codes.flatten(0, 1))
        return images.view(len(start), steps, *images.shape[1:])

    def __radd__(self, other: object) -> "Interpolator":
        """Let ``sum([interpolator, regularizer])`` begin; the regularizer does the adding."""
        if isinstance(other, int) and other == 0:
            return self
        return NotImplemented

    def extra_repr(self) -> str:
        """What is shown between the brackets of ``repr``."""
        pairing = self.pairing if isinstance(self.pairing, str) else "given"
        return f"kind={self.kind!r}, alpha_range={self.alpha_range}, pairing={pairing!r}"

    def _networks(self) -> tuple[Network, Network]:
        encoder, decoder = self._pair
        if encoder is None or decoder is None:
            raise TypeError(
                "encoder: expected a pair for images, got None; make it Interpolator(encoder, decoder), "
                "or call .mix(z) on codes"
            )
        return encoder, decoder

    def _rand(self, shape: tuple[int, ...], z: Tensor) -> Tensor:
        if self.generator is None:
            return torch.rand(shape, dtype=_wide(z), device=z.device)
        return torch.rand(shape, dtype=_wide(z), device=z.device, generator=self.generator)

    def _coefficients(self, z: Tensor) -> Tensor:
        per_sample = (len(z), *[1] * (z.ndim - 1))
        shape = tuple(z.shape) if self.kind == "multidimensional" else per_sample
        uniform = self._rand(shape, z)
        low, high = self.alpha_range
        folded = self.alpha_range == (0.0, 0.5)  # drawn as published, the same law either way
        alpha = 0.5 - (uniform - 0.5).abs() if folded else low + (high - low) * uniform
        if self.kind != "bernoulli":
            return alpha
        whole = self.grain == "element" or z.ndim < 2
        mask_shape = tuple(z.shape) if whole else (*z.shape[:2], *[1] * (z.ndim - 2))
        return (self._rand(mask_shape, z) < alpha).to(alpha.dtype)

    def _partners(self, z: Tensor, count: int = 1) -> list[Tensor]:
        """``count`` partners for every code."""
        if callable(self.pairing):
            partners = [self.pairing(z) for _ in range(count)]
        elif self.pairing == "prior":
            partners = [self._draw_prior(z) for _ in range(count)]
        elif self.pairing == "reverse":
            partners = [z.flip(0)]
        else:
            cycle = self._rand((len(z),), z).argsort()
            turn = cycle.argsort()  # position of each sample in the cycle
            partners = [z[cycle.roll(-step)[turn]] for step in range(1, count + 1)]
        for partner in partners:
            _checks.is_tensor("pairing", partner)
            _checks.has_shape("pairing", partner, z.shape, "the codes")
        return partners

    def _draw_prior(self, z: Tensor) -> Tensor:
        if self.prior is not None:
            return self.prior(z)
        if self.generator is None:
            return torch.randn(z.shape, dtype=z.dtype, device=z.device)
        return torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=self.generator)

    def _convex(self, z: Tensor) -> Mix:
        """A convex mix of k codes, seen as a linear mix with the barycentre of the k - 1 others."""
        exponential = -torch.log1p(-self._rand((self.ways, len(z)), z))  # normalised: Dirichlet(1, ..., 1)
        exponential = exponential.clamp_min(torch.finfo(exponential.dtype).tiny)
        weights = exponential / exponential.sum(0)  # [k, B]
        weights = weights.view(*weights.shape, *[1] * (z.ndim - 1))
        others = torch.stack(self._partners(z, self.ways - 1)).to(weights.dtype)  # [k - 1, B, ...]
        share = exponential[1:] / exponential[1:].sum(0)
        barycentre = (share.view(*share.shape, *[1] * (z.ndim - 1)) * others).sum(0).to(z.dtype)
        return Mix(mix(z, barycentre, weights[0]), 1 - weights.amax(0), barycentre)


def _wide(z: Tensor) -> torch.dtype:
    return torch.promote_types(z.dtype, torch.float32)
