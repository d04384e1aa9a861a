"""Mixed codes, linear and spherical, and paths and grids of them."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from interpreg import _checks
from interpreg._numerics import wide_dtype
from interpreg._types import Mix
from interpreg.functional.means import aligned, has_positions, valid_part

PATH_KINDS = ("linear", "spherical")


def mix(z: Tensor, z_partner: Tensor, alpha: Tensor | float) -> Tensor:
    r"""The linear mixed code, :math:`\alpha z + (1 - \alpha) z_\mathrm{partner}`.

    ``alpha`` is the weight of the *own* code ``z``, as in ACAI (arXiv 1807.07543, section 2.1); with one coefficient
    per element this is MIDR-AE's eq. 4.

    Args:
        z: codes ``[B, ...]``.
        z_partner: partners, shaped like ``z``.
        alpha: in [0, 1]: a number, one per sample ``[B]``, or anything that broadcasts to the code.

    Returns:
        Mixed codes, shaped and typed like ``z``; computed in ``alpha``'s precision where that is higher.

    Raises:
        TypeError: ``z`` or ``z_partner`` is not a floating point tensor.
        ValueError: the shapes do not fit.

    >>> mix(torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([0.0, 0.25]))
    tensor([[1.0000, 1.0000, 1.0000],
            [0.7500, 0.7500, 0.7500]])
    """
    return unchecked_mix(z, z_partner, _weight(z, z_partner, alpha))


def unchecked_mix(z: Tensor, z_partner: Tensor, alpha: Tensor) -> Tensor:
    """:func:`mix` without checks, for tensors that fit and an ``alpha`` at least as precise as they are."""
    if alpha.dtype == z.dtype == z_partner.dtype:
        return torch.lerp(z_partner, z, alpha)
    return torch.lerp(z_partner.to(alpha.dtype), z.to(alpha.dtype), alpha).to(z.dtype)


def mix_of_valid(
    combine: Callable[[Tensor, Tensor, Tensor], Tensor],
    z: Tensor,
    z_partner: Tensor,
    alpha: Tensor,
    mask: Tensor,
    partner_mask: Tensor,
) -> Mix:
    """A mix of padded sequences, of which one that ends before the other is continued by it.

    So a linear mix is there the longer code alone. The coefficient is 0 there, because nothing is mixed.

    Args:
        combine: :func:`mix` or :func:`slerp`.
        z, z_partner: codes ``[B, ...]``; those without positions are mixed as they are.
        alpha: broadcasts to them.
        mask, partner_mask: ``[B, T]``, where each is valid.
    """
    either = mask | partner_mask
    if not has_positions(z, mask):
        return Mix(combine(z, z_partner, alpha), alpha, z_partner, either)
    own, other = continued(z, z_partner, mask), continued(z_partner, z, partner_mask)
    own, other = valid_part(own, either), valid_part(other, either)
    both = aligned(mask & partner_mask, z)
    return Mix(combine(own, other, alpha), torch.where(both, alpha, torch.zeros_like(alpha)), other, either)


def continued(z: Tensor, by: Tensor, mask: Tensor | None) -> Tensor:
    """Codes with those of ``by`` where they are not valid."""
    if mask is None or not has_positions(z, mask):
        return z
    return torch.where(aligned(mask, z), z, by)


def slerp(z: Tensor, z_partner: Tensor, alpha: Tensor | float) -> Tensor:
    r"""The spherical mixed code (White 2016, arXiv 1609.04468).

    .. math:: \frac{\sin(\alpha\omega)}{\sin\omega} z
              + \frac{\sin((1 - \alpha)\omega)}{\sin\omega} z_\mathrm{partner}

    where :math:`\omega` is the angle between the two flattened codes. Where they are parallel or opposite the great
    circle is undefined and the mix is the linear one: the value and the gradient stay finite.

    Args, returns and errors: as :func:`mix`.

    >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    tensor([[0.7071, 0.7071]])
    """
    weight = _weight(z, z_partner, alpha)
    own, partner = z.to(weight.dtype), z_partner.to(weight.dtype)
    omega, sine, straight = _angle(own, partner)
    own_weight = torch.where(straight, weight, (weight * omega).sin() / sine)
    partner_weight = torch.where(straight, 1 - weight, ((1 - weight) * omega).sin() / sine)
    return (own_weight * own + partner_weight * partner).to(z.dtype)


def direction(z: Tensor, z_partner: Tensor, alpha: Tensor | float, kind: str = "linear") -> Tensor:
    r"""The derivative of the mixed code by its coefficient, :math:`dz_\mathrm{mix} / d\alpha`.

    :math:`z - z_\mathrm{partner}` for ``kind="linear"``; for ``"spherical"``, the derivative of :func:`slerp`,

    .. math:: \frac{\omega \cos(\alpha\omega)}{\sin\omega} z
              - \frac{\omega \cos((1 - \alpha)\omega)}{\sin\omega} z_\mathrm{partner}

    Args, returns and errors: as :func:`mix`; ``ValueError`` for another kind.

    >>> direction(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    tensor([[ 1., -1.]])
    """
    _checks.check_one_of("kind", kind, PATH_KINDS)
    weight = _weight(z, z_partner, alpha)  # checks all three
    if kind == "linear":
        return z - z_partner
    own, partner = z.to(weight.dtype), z_partner.to(weight.dtype)
    omega, sine, straight = _angle(own, partner)
    own_rate = torch.where(straight, torch.ones_like(sine), omega * (weight * omega).cos() / sine)
    partner_rate = torch.where(straight, torch.ones_like(sine), omega * ((1 - weight) * omega).cos() / sine)
    return (own_rate * own - partner_rate * partner).to(z.dtype)


def path(z1: Tensor, z2: Tensor, steps: int, kind: str = "linear") -> Tensor:
    r"""Codes evenly spaced in :math:`t = 0, \frac{1}{N-1}, \ldots, 1` from ``z1`` to ``z2``, both included.

    ``kind="linear"`` is ACAI's eq. 3; ``"spherical"`` follows :func:`slerp`.

    Args:
        z1: codes ``[B, ...]``, the start.
        z2: codes shaped like them, the end.
        steps: N, at least 2.
        kind: "linear" or "spherical".

    Returns:
        ``[B, N, ...]``.

    Raises:
        TypeError, ValueError: an argument of the wrong type, shape or name.

    >>> path(torch.zeros(1, 1), torch.ones(1, 1), steps=5).flatten()
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    _checks.as_count("steps", steps, low=2)
    _checks.check_one_of("kind", kind, PATH_KINDS)
    step = mix if kind == "linear" else slerp
    return torch.stack([step(z2, z1, t / (steps - 1)) for t in range(steps)], dim=1)


def bilinear(codes: Tensor, rows: int, columns: int) -> Tensor:
    r"""Codes on a grid between four corners, linear along every row and every column.

    .. math:: (1 - v)(1 - u) z_\mathrm{tl} + (1 - v) u z_\mathrm{tr} + v (1 - u) z_\mathrm{bl} + v u z_\mathrm{br}

    with :math:`u` from 0 to 1 along a row and :math:`v` down a column: the grids of AEAI's figures 9 to 13
    (arXiv 2008.01487).

    Args:
        codes: ``[4, ...]``: top left, top right, bottom left, bottom right.
        rows: at least 2.
        columns: at least 2.

    Returns:
        ``[rows, columns, ...]``, with ``codes`` in the corners.

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape.

    >>> bilinear(torch.tensor([0.0, 1.0, 2.0, 3.0]), rows=3, columns=2)
    tensor([[0., 1.],
            [1., 2.],
            [2., 3.]])
    """
    _checks.check_tensor("codes", codes)
    _checks.check_batch_size("codes", codes, 4)
    _checks.as_count("rows", rows, low=2)
    _checks.as_count("columns", columns, low=2)
    sides = path(codes[:2], codes[2:], rows)  # the left and the right column, top to bottom
    return path(sides[0], sides[1], columns)


def _angle(own: Tensor, partner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The angle between flattened codes, its sine (1 where that is 0) and where it is 0, ``[B, 1, ...]`` each."""
    a = normalize(own.reshape(len(own), -1), dim=1)
    b = normalize(partner.reshape(len(own), -1), dim=1)
    # arccos of a dot product would lose the digits of small angles
    opposite, adjacent = (a - b).norm(dim=1), (a + b).norm(dim=1)
    # two codes of zeros have no angle, and no gradient of one
    omega = 2 * torch.atan2(opposite, torch.where(opposite + adjacent == 0, torch.ones_like(adjacent), adjacent))
    omega = aligned(omega, own)
    sine = omega.sin()
    straight = sine < 1e-4 if own.dtype == torch.float32 else sine < 1e-8
    return omega, torch.where(straight, torch.ones_like(sine), sine), straight


def _weight(z: Tensor, z_partner: Tensor, alpha: Tensor | float) -> Tensor:
    """``alpha`` as a tensor that broadcasts to ``z``, in the codes' precision and fp32 at least."""
    _checks.check_tensor("z", z)
    _checks.check_tensor("z_partner", z_partner)
    _checks.check_shape("z_partner", z_partner, z.shape, "z")
    wide = wide_dtype(z, z_partner)
    if not isinstance(alpha, Tensor):
        return torch.full((), alpha, dtype=wide, device=z.device)
    if alpha.ndim == 1:
        _checks.check_batch_size("alpha", alpha, len(z))
        alpha = aligned(alpha, z)  # [B, 1, ...]
    if alpha.ndim not in (0, z.ndim) or any(a not in (1, n) for a, n in zip(alpha.shape, z.shape, strict=False)):
        raise ValueError(
            f"alpha: expected a number, one per sample [{len(z)}], or a shape that broadcasts to the code "
            f"{tuple(z.shape)}, got {_checks.describe(alpha)}"
        )
    return alpha.to(torch.promote_types(alpha.dtype, wide))
