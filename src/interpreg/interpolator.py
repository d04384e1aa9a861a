"""How codes are mixed: which coefficient, with which partner, by which formula."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg._types import Mix, Network
from interpreg.draws import Draws, Kind, Pairing
from interpreg.functional import mix, path, slerp
from interpreg.functional.mixing import direction

KINDS = ("linear", "multidimensional", "spherical", "bernoulli", "convex")
PAIRINGS = ("reverse", "permutation", "prior")
GRAINS = ("channel", "element")


class Interpolator(Draws):
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
            - ``"multidimensional"``: one a code element, independently (MIDR-AE, eq. 4), or a channel (``grain``).
            - ``"spherical"``: one a sample, along the great circle (:func:`interpreg.functional.slerp`).
            - ``"bernoulli"``: each channel or element (``grain``) is taken whole, from the own code with a
              probability drawn once a sample from ``alpha_range`` (AMR's "Bernoulli mixup"), or with more than
              two ``ways`` from any of the codes alike; the coefficient is the own code's mask of zeros and ones.
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
        grain: of "bernoulli" and "multidimensional": "channel" (axis 1 of the code, constant over all further axes;
            what the former does when not told) or "element" (the latter).
        ways: of "convex" and "bernoulli": how many codes are mixed, at least 2.
        grid: instead of a random coefficient, this many evenly spaced ones, from one end of ``alpha_range`` to the
            other, for every pair: ``grid`` times as many mixed codes, one batch after the other (AEAI's M + 1). For
            "linear" and "spherical".
        shared: one random coefficient (or probability) for the whole batch instead of one a sample.
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
        grain: Literal["channel", "element"] | None = None,
        ways: int = 2,
        grid: int | None = None,
        shared: bool = False,
        prior: Callable[[Tensor], Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.check_one_of("kind", kind, KINDS)
        grain = grain or ("channel" if kind == "bernoulli" else "element")
        _checks.check_one_of("grain", grain, GRAINS)
        _checks.as_count("ways", ways, low=2)
        if grid is not None and kind not in ("linear", "spherical"):
            raise ValueError(f"grid: expected None for kind={kind!r}, whose coefficients are random, got {grid!r}")
        crowd = kind == "convex" or (kind == "bernoulli" and ways > 2)
        pairing = pairing or ("permutation" if crowd else "reverse")
        if not callable(pairing):
            _checks.check_one_of("pairing", pairing, PAIRINGS)
        if pairing == "reverse" and crowd:
            raise ValueError(
                "pairing: expected 'permutation', 'prior' or a callable to mix more than two codes, got 'reverse'"
            )
        if (encoder is None) != (decoder is None):
            missing = "encoder" if encoder is None else "decoder"
            raise TypeError(f"{missing}: expected a pair, encoder and decoder, or neither; got None")
        if encoder is not None:
            _checks.check_network("encoder", encoder)
            _checks.check_network("decoder", decoder)
        super().__init__()
        self.kind = kind
        self.alpha_range = _checks.as_interval("alpha_range", alpha_range)
        self.pairing = pairing
        self.grain = grain
        self.ways = ways
        self.grid = None if grid is None else _checks.as_count("grid", grid, low=2)
        self.shared = shared
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
        _checks.check_tensor("x", x)
        z = encoder(x)
        _checks.check_tensor("encoder", z)
        _checks.check_batch_size("encoder", z, len(x))
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
        return self.sample_masked(z, None, z_partner, alpha)[0]

    def sample_masked(
        self,
        z: Tensor,
        mask: Tensor | None,
        z_partner: Tensor | None = None,
        alpha: Tensor | float | None = None,
    ) -> tuple[Mix, Tensor | None]:
        """As :meth:`sample`, for codes with a padding mask ``[B, T]``: a mix is valid where either of the two is.

        Raises:
            ValueError: a mask beside partners of which nobody knows where they are valid.
        """
        _checks.check_tensor("z", z)
        size = len(z)
        middle_alone = z_partner is None and alpha is None and self.pairing == "reverse" and size % 2 == 1
        if z_partner is None:
            self.check_batch(len(z))
            if self._is_crowd and alpha is None:
                return self._crowd(z, mask)
        if z_partner is None:
            ((z_partner, mask),) = self._partners(z, mask)
        elif mask is not None:
            raise ValueError("mask: expected None beside a z_partner of your own, got a tensor")
        if self.grid is not None and alpha is None:
            z, z_partner = torch.cat([z] * self.grid), torch.cat([z_partner] * self.grid)
            mask = None if mask is None else torch.cat([mask] * self.grid)
            alpha = self._on_grid(z)
        if alpha is None:
            coefficient = self._coefficients(z)
        else:
            coefficient = torch.as_tensor(alpha, dtype=wide_dtype(z), device=z.device)
            if coefficient.ndim == 1:
                coefficient = coefficient.view(-1, *[1] * (z.ndim - 1))  # [B, 1, ...]
        if middle_alone:  # nothing is mixed in the middle of an odd batch, and the critic is told so
            rows = torch.arange(len(z), device=z.device).view(-1, *[1] * (z.ndim - 1))
            coefficient = coefficient * (rows % size != size // 2)
        return Mix(self.mix(z, z_partner, coefficient), coefficient, z_partner), mask

    def direction(self, z: Tensor, mixed: Mix) -> Tensor:
        r"""How the mixed codes of ``z`` change with their coefficient, :math:`dz_\mathrm{mix} / d\alpha`.

        Every coefficient of a sample is taken to grow at the same rate: :math:`z - z_\mathrm{partner}`, and along
        the great circle for ``kind="spherical"``.

        Raises:
            ValueError: ``kind="bernoulli"``, whose coefficients are zeros and ones: there is no path to go along.
        """
        if self.kind == "bernoulli":
            raise ValueError(
                "interpolator: expected one with a path from code to code, got kind='bernoulli'; use 'linear', "
                "'spherical', 'multidimensional' or 'convex'"
            )
        own = z if len(z) == len(mixed.z_mix) else torch.cat([z] * (len(mixed.z_mix) // len(z)))
        return direction(own, mixed.z_partner, mixed.alpha, "spherical" if self.kind == "spherical" else "linear")

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if ``size`` samples are too few to find partners among themselves."""
        least = self.ways if self._is_crowd else 2
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
        _checks.check_tensor("start", start)
        _checks.check_tensor("end", end)
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
