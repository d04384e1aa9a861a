"""Random coefficients and partners, as pure functions."""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import normal, uniform, wide_dtype

Kind = Literal["linear", "multidimensional", "spherical", "bernoulli", "convex"]
Pairing = Literal["reverse", "permutation", "prior"] | Callable[[Tensor], Tensor]
Sampler = Callable[[Tensor], Tensor]
Masked = tuple[Tensor, Tensor | None]
"""Codes and where they are valid."""
PAIRINGS = ("reverse", "permutation", "prior")


def as_pairing(pairing: object, is_kway: bool) -> Pairing:
    """``pairing``, or its default; ``TypeError`` or ``ValueError`` for what does not pair codes."""
    if pairing is None:
        return "permutation" if is_kway else "reverse"
    _checks.check_name_or_callable("pairing", pairing, PAIRINGS, "the codes")
    if pairing == "reverse" and is_kway:
        raise ValueError(
            "pairing: expected 'permutation', 'prior' or a callable to mix more than two codes, got 'reverse'"
        )
    return cast(Pairing, pairing)


def check_used(
    kind: str, count: int, pairing: Pairing, alpha_range: object, grain: object, ways: object, grid: object,
    shared: bool, prior: object, generator: object,
) -> None:  # fmt: skip
    """Raise ``ValueError`` if an argument of an interpolator of ``count`` ways was given that has no effect."""
    if kind in ("linear", "multidimensional", "spherical"):
        _checks.check_unused("ways", ways, f"kind={kind!r}")
    is_kway = kind == "convex" or count > 2
    what = f"kind={kind!r}" + (f" of {count} ways" if count > 2 else "")
    if kind not in ("multidimensional", "bernoulli"):
        _checks.check_unused("grain", grain, what)
    if is_kway:
        _checks.check_unused("alpha_range", alpha_range, what)
    if is_kway or kind == "multidimensional":
        _checks.check_unused("shared", shared, what)
    if pairing != "prior":
        name = repr(pairing) if isinstance(pairing, str) else "a callable"
        _checks.check_unused("prior", prior, f"pairing={name}")
    if grid is not None:
        _checks.check_unused("shared", shared, "a grid")
        draws_partners = pairing == "permutation" or (pairing == "prior" and prior is None)
        if not draws_partners:
            _checks.check_unused("generator", generator, "a grid and partners that are not drawn")


def grain_shape(z: Tensor, grain: str) -> tuple[int, ...]:
    """The shape of codes ``[B, ...]`` with one number for each element, or for each channel."""
    by_element = grain == "element" or z.ndim < 2
    return tuple(z.shape) if by_element else (*z.shape[:2], *[1] * (z.ndim - 2))


def grid_coefficients(z: Tensor, alpha_range: tuple[float, float], points: int) -> Tensor:
    """Evenly spaced coefficients ``[points * B]`` for codes that are repeated ``points`` times."""
    spaced = torch.linspace(*alpha_range, points, dtype=wide_dtype(z), device=z.device)
    return spaced.repeat_interleave(len(z) // points)


def random_coefficients(
    z: Tensor,
    kind: Kind,
    alpha_range: tuple[float, float],
    grain: str,
    shared: bool,
    generator: torch.Generator | None,
) -> Tensor:
    """Coefficients that broadcast to the codes: one a sample, a channel or an element."""
    rows = 1 if shared else z.shape[0]
    shape = grain_shape(z, grain) if kind == "multidimensional" else (rows, *[1] * (z.ndim - 1))
    u = uniform(shape, z, generator)
    low, high = alpha_range
    # [0, 0.5] is drawn as published, folded; the distribution is uniform either way
    folded = alpha_range == (0.0, 0.5)
    alpha = 0.5 - (u - 0.5).abs() if folded else low + (high - low) * u
    if kind == "bernoulli":
        return (uniform(grain_shape(z, grain), z, generator) < alpha).to(alpha.dtype)
    return alpha.expand(z.shape[0], *alpha.shape[1:]) if shared else alpha


def partners(
    z: Tensor,
    mask: Tensor | None,
    pairing: Pairing,
    prior: Sampler | None,
    generator: torch.Generator | None,
    count: int = 1,
) -> list[Masked]:
    """``count`` partners for every code, each with the mask of where it is valid.

    Raises:
        ValueError: a mask beside a callable; partners that are not shaped like the codes.
    """
    if pairing == "reverse":
        return [(z.flip(0), None if mask is None else mask.flip(0))]
    if pairing == "permutation":
        cycle = uniform((z.shape[0],), z, generator).argsort()
        position = cycle.argsort()  # of each sample within the cycle
        rows = [cycle.roll(-step)[position] for step in range(1, count + 1)]
        return [(z[each], None if mask is None else mask[each]) for each in rows]
    if callable(pairing):
        if mask is not None:
            raise ValueError("pairing: expected a name beside a mask, got a callable, whose mask is unknown")
        pairs: list[Masked] = [(pairing(z), None) for _ in range(count)]
    else:
        draw = prior or (lambda codes: normal(codes.shape, codes, generator).to(codes.dtype))
        pairs = [(draw(z), mask) for _ in range(count)]
    for partner, _ in pairs:
        _checks.check_tensor("pairing", partner)
        _checks.check_shape("pairing", partner, z.shape, "the codes")
    return pairs
