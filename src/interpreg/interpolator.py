"""The module that mixes codes."""

from typing import Literal

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import uniform, wide_dtype
from interpreg._references import Reference, Referring
from interpreg._types import Codes, Mix, Network
from interpreg.functional import mix, path, slerp
from interpreg.functional.kway import dirichlet_mix, one_of_k
from interpreg.functional.means import aligned, has_positions, valid_part
from interpreg.functional.mixing import continued, direction, mix_of_valid, unchecked_mix
from interpreg.sampling import (
    Kind,
    Pairing,
    Sampler,
    as_pairing,
    check_used,
    grain_shape,
    grid_coefficients,
    partners,
    random_coefficients,
)

KINDS = ("linear", "multidimensional", "spherical", "bernoulli", "convex")
GRAINS = ("channel", "element")


class Interpolator(Referring):
    r"""Mixes every code of a batch with a partner.

    .. math:: z_\mathrm{mix} = \alpha z + (1 - \alpha) z_\mathrm{partner}

    With a pair of networks it maps images: ``interpolator(x)`` returns the interpolants, and :meth:`path` leads from
    image to image. Without a pair it is an argument for terms, and :meth:`path` leads from code to code. In a sum of
    regularizers it adds no term and mixes for every part without an interpolator.

    Args:
        encoder, decoder: the pair, or neither.
        kind: the kind of coefficient and of mix.

            - ``"linear"``: one coefficient a sample, drawn from ``alpha_range`` (ACAI, section 2.1).
            - ``"multidimensional"``: one a code element, independently (MIDR-AE, eq. 4), or a channel (``grain``).
            - ``"spherical"``: one a sample, along the great circle (:func:`interpreg.functional.slerp`).
            - ``"bernoulli"``: each channel or element (``grain``) is that of one code: of the own code with a
              probability drawn once a sample from ``alpha_range`` (AMR's "Bernoulli mixup"), or, for more than two
              ``ways``, of each code with the same probability. The coefficient is 1 where it is the own code's, else 0.
            - ``"convex"``: ``ways`` codes with weights from the flat Dirichlet distribution (AMR's k-way mixup). The
              coefficient is 1 - the largest weight, in [0, 1 - 1/ways]; for two ways it is the folded coefficient.
              Mixes of more than two codes are in ``interpreg.functional.kway``.
        alpha_range: (low, high) within [0, 1]; the coefficient is uniform on it. The default, (0, 0.5), is ACAI's:
            u ~ U(0, 1) is folded to 0.5 - \|u - 0.5\|, so that the partner is always the nearer of the two codes.
            Not of ``"convex"``, nor of ``"bernoulli"`` with more than two ``ways``.
        pairing: the partners.

            - ``"reverse"``: the batch backwards, as published. The middle sample of an odd batch is its own partner:
              it is not mixed, and its coefficient is 0.
            - ``"permutation"``: a new random cyclic permutation, so that no sample is its own partner. The default for
              "convex".
            - ``"prior"``: a draw from ``prior``.
            - a callable that maps the codes to their partners.
        grain: of "bernoulli" and "multidimensional": "channel" (axis 1 of the code, constant over all further axes;
            the default of the former) or "element" (the default of the latter).
        ways: of "convex" and "bernoulli": the number of codes in a mix, at least 2; 2 when not given.
        grid: of "linear" and "spherical": instead of a random coefficient, this many evenly spaced ones for every pair,
            from one end of ``alpha_range`` to the other: ``grid`` times as many mixed codes, one batch after the other
            (AEAI's M + 1).
        shared: of "linear", "spherical" and "bernoulli": one random coefficient (or probability) for the whole batch
            instead of one a sample.
        prior: for ``pairing="prior"``: a callable that maps the codes to draws of their shape; standard normal when not
            given.
        generator: draws coefficients and partners; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, an unknown name, a range outside [0, 1]; an argument that
            has no effect beside the others.

    >>> strategy = Interpolator(alpha_range=(0.0, 1.0), pairing="permutation")
    >>> strategy.mix(torch.randn(8, 16)).shape
    torch.Size([8, 16])
    """

    encoder = Reference()
    decoder = Reference()
    pairing = Reference()
    prior = Reference()

    def __init__(
        self,
        encoder: Network | None = None,
        decoder: Network | None = None,
        *,
        kind: Kind = "linear",
        alpha_range: tuple[float, float] | None = None,
        pairing: Pairing | None = None,
        grain: Literal["channel", "element"] | None = None,
        ways: int | None = None,
        grid: int | None = None,
        shared: bool = False,
        prior: Sampler | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _checks.check_one_of("kind", kind, KINDS)
        if grain is not None:
            _checks.check_one_of("grain", grain, GRAINS)
        self.kind, self.grain = kind, grain or ("channel" if kind == "bernoulli" else "element")
        self.ways = 2 if ways is None else _checks.as_count("ways", ways, low=2)
        if grid is not None and kind not in ("linear", "spherical"):
            raise ValueError(f"grid: expected None for kind={kind!r}, whose coefficients are random, got {grid!r}")
        pairing = as_pairing(pairing, self._is_kway)
        if prior is not None:
            _checks.check_callable("prior", prior, "a callable of the codes")
        if (encoder is None) != (decoder is None):
            missing = "encoder" if encoder is None else "decoder"
            raise TypeError(f"{missing}: expected a pair, encoder and decoder, or neither; got None")
        if encoder is not None:
            _checks.check_network("encoder", encoder)
            _checks.check_network("decoder", decoder)
        self.alpha_range = (0.0, 0.5) if alpha_range is None else _checks.as_interval("alpha_range", alpha_range)
        self.grid = None if grid is None else _checks.as_count("grid", grid, low=2)
        self.pairing, self.shared, self.prior = pairing, _checks.as_flag("shared", shared), prior
        self.generator = _checks.as_generator(generator)
        check_used(kind, self.ways, pairing, alpha_range, grain, ways, grid, shared, prior, generator)
        self.encoder, self.decoder = encoder, decoder

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

    def sample(
        self,
        z: Tensor,
        z_partner: Tensor | None = None,
        alpha: Tensor | float | None = None,
        *,
        mask: Tensor | None = None,
        partner_mask: Tensor | None = None,
    ) -> Mix:
        """Mixed codes with their coefficients and partners, which are drawn unless given.

        With a padding mask ``[B, T]`` of the codes, a mix is valid where either of the two is. A code that ends before
        the other is continued by it: there a mix is the longer code alone, and its coefficient is 0, because nothing
        is mixed.

        Raises:
            TypeError: ``z`` is not a floating point tensor.
            ValueError: fewer than two samples where partners come from the batch itself; a mask beside a given
                partner without its own, ``partner_mask``.
        """
        _checks.check_tensor("z", z)
        size = z.shape[0]
        middle_alone = z_partner is None and alpha is None and self.pairing == "reverse" and size % 2 == 1
        z = valid_part(z, mask)
        if z_partner is None:
            self.check_batch(size)
            if self._is_kway and alpha is None:
                return self._kway(z, mask)
            ((z_partner, partner_mask),) = partners(z, mask, self.pairing, self.prior, self.generator)
        elif mask is not None and partner_mask is None:
            raise ValueError(
                "mask: expected None beside a z_partner, whose mask is unknown, got a tensor; give partner_mask= too"
            )
        if self.grid is not None and alpha is None:
            z, z_partner = torch.cat([z] * self.grid), torch.cat([z_partner] * self.grid)
            if mask is not None and partner_mask is not None:
                mask, partner_mask = torch.cat([mask] * self.grid), torch.cat([partner_mask] * self.grid)
            alpha = grid_coefficients(z, self.alpha_range, self.grid)
        combine = slerp if self.kind == "spherical" else unchecked_mix if alpha is None else mix
        if alpha is None:
            alpha = random_coefficients(z, self.kind, self.alpha_range, self.grain, self.shared, self.generator)
        else:
            alpha = torch.as_tensor(alpha, dtype=wide_dtype(z), device=z.device)
            if alpha.ndim == 1:
                alpha = aligned(alpha, z)  # [B, 1, ...]
        if middle_alone:  # the middle sample of an odd batch is not mixed: its coefficient is 0
            rows = aligned(torch.arange(z.shape[0], device=z.device), z)
            alpha = alpha * (rows % size != size // 2)
        if mask is not None and partner_mask is not None:
            return mix_of_valid(combine, z, z_partner, alpha, mask, partner_mask)
        return Mix(combine(z, z_partner, alpha), alpha, z_partner)

    def mixed(self, batch: Codes) -> Mix:
        """Mixed codes of a batch, which the terms of a regularizer share."""
        return self.sample(batch.z, mask=batch.mask)

    def direction(self, z: Tensor, mixed: Mix, mask: Tensor | None = None) -> Tensor:
        r"""The derivative of the mixed codes of ``z`` by their coefficient, :math:`dz_\mathrm{mix} / d\alpha`.

        All coefficients of a sample grow at the same rate: :math:`z - z_\mathrm{partner}`, and along the great circle
        for ``kind="spherical"``. ``mask`` is that of ``z``.

        Raises:
            ValueError: ``kind="bernoulli"``, see :meth:`check_path`.
        """
        self.check_path()
        repeats = len(mixed.z_mix) // len(z)
        if repeats > 1:
            z, mask = torch.cat([z] * repeats), None if mask is None else torch.cat([mask] * repeats)
        own = continued(z, mixed.z_partner, mask)
        if self.kind != "spherical":
            return direction(own, mixed.z_partner, mixed.alpha)
        # one coefficient a sample; 0 at positions where nothing is mixed
        alpha = mixed.alpha.amax(1, keepdim=True) if z.ndim > 2 else mixed.alpha
        return direction(own, mixed.z_partner, alpha, "spherical")

    @property
    def law(self) -> tuple[object, ...]:
        """All arguments that decide how codes are mixed: equal for two interpolators that mix in the same way."""
        return self.kind, self.alpha_range, self.pairing, self.grain, self.ways, self.grid, self.shared, self.prior

    def check_path(self) -> None:
        """Raise ``ValueError`` for ``kind="bernoulli"``: coefficients of zeros and ones are no path between codes."""
        if self.kind == "bernoulli":
            raise ValueError(
                "interpolator: expected one with a path from code to code, got kind='bernoulli'; use 'linear', "
                "'spherical', 'multidimensional' or 'convex'"
            )

    def check_batch(self, size: int) -> None:
        """Raise ``ValueError`` if partners come from the batch and ``size`` samples are too few."""
        least = self.ways if self._is_kway else 2
        if self.pairing in ("reverse", "permutation") and size < least:
            raise ValueError(
                f"x: expected a batch of at least {least} samples to mix with each other, got {size}; "
                "drop the last batch (drop_last=True), or use pairing='prior'"
            )

    def path(self, start: Tensor, end: Tensor, steps: int = 16) -> Tensor:
        """``steps`` evenly spaced points from ``start`` to ``end``, both ends included: ``[B, steps, ...]``.

        With a pair of networks from images to images, through their codes, so that the ends are reconstructions;
        without from codes to codes. Spherical for ``kind="spherical"``, straight for every other kind.
        """
        kind = "spherical" if self.kind == "spherical" else "linear"
        if self.encoder is None:
            return path(start, end, steps, kind)
        encoder, decoder = self._networks()
        _checks.check_tensor("start", start)
        _checks.check_tensor("end", end)
        codes = path(encoder(start), encoder(end), steps, kind)
        images = decoder(codes.flatten(0, 1))
        return images.view(len(start), steps, *images.shape[1:])

    def __radd__(self, other: object) -> "Interpolator":
        """The interpolator itself in ``0 + interpolator``, the start of ``sum([interpolator, regularizer])``."""
        if isinstance(other, int) and other == 0:
            return self
        return NotImplemented

    def extra_repr(self) -> str:
        """The text between the brackets of ``repr``."""
        pairing = self.pairing if isinstance(self.pairing, str) else "given"
        return f"kind={self.kind!r}, alpha_range={self.alpha_range}, pairing={pairing!r}"

    def _networks(self) -> tuple[Network, Network]:
        encoder, decoder = self.encoder, self.decoder
        if encoder is None or decoder is None:
            raise TypeError(
                "encoder: expected a pair for images, got None; make it Interpolator(encoder, decoder), "
                "or call .mix(z) on codes"
            )
        return encoder, decoder

    @property
    def _is_kway(self) -> bool:
        """Whether mixes are drawn as those of k codes; "convex" is, of two codes too."""
        return self.kind == "convex" or (self.kind == "bernoulli" and self.ways > 2)

    def _kway(self, z: Tensor, mask: Tensor | None) -> Mix:
        """A mix of k codes, valid where any of them is."""
        pairs = partners(z, mask, self.pairing, self.prior, self.generator, self.ways - 1)
        masks = [each for each in (mask, *(other for _, other in pairs)) if each is not None]
        valid = torch.stack(masks) if mask is not None and has_positions(z, mask) else None  # [k, B, T]
        others = torch.stack([valid_part(partner, other) for partner, other in pairs])
        if self.kind == "bernoulli":
            mixed = one_of_k(z, others, uniform(grain_shape(z, self.grain), z, self.generator), valid)
        else:
            mixed = dirichlet_mix(z, others, uniform((self.ways, z.shape[0]), z, self.generator), valid)
        return mixed._replace(mask=torch.stack(masks).any(0)) if masks and valid is None else mixed
