"""What an interpolator draws: coefficients and partners."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from interpreg import _checks
from interpreg._numerics import normal, uniform, wide_dtype
from interpreg._types import Mix
from interpreg.functional.crowd import barycentre, one_of

Kind = Literal["linear", "multidimensional", "spherical", "bernoulli", "convex"]
Pairing = Literal["reverse", "permutation", "prior"] | Callable[[Tensor], Tensor]


class Draws(nn.Module):
    """The random half of :class:`interpreg.Interpolator`, whose attributes it reads."""

    kind: Kind
    pairing: Pairing
    alpha_range: tuple[float, float]
    grain: str
    ways: int
    grid: int | None
    shared: bool
    prior: Callable[[Tensor], Tensor] | None
    generator: torch.Generator | None

    def _rand(self, shape: tuple[int, ...], z: Tensor) -> Tensor:
        return uniform(shape, z, self.generator)

    @property
    def _is_crowd(self) -> bool:
        """Whether more than pairs are mixed."""
        return self.kind == "convex" or (self.kind == "bernoulli" and self.ways > 2)

    def _on_grid(self, z: Tensor) -> Tensor:
        """The grid's coefficients for codes that are repeated as often."""
        assert self.grid is not None
        points = torch.linspace(*self.alpha_range, self.grid, dtype=wide_dtype(z), device=z.device)
        return points.repeat_interleave(len(z) // self.grid)

    def _coefficients(self, z: Tensor) -> Tensor:
        rows = 1 if self.shared else len(z)
        per_sample = (rows, *[1] * (z.ndim - 1))
        u = self._rand(self._grains(z) if self.kind == "multidimensional" else per_sample, z)
        low, high = self.alpha_range
        folded = self.alpha_range == (0.0, 0.5)  # drawn as published, the same law either way
        alpha = 0.5 - (u - 0.5).abs() if folded else low + (high - low) * u
        if self.kind == "bernoulli":
            return (self._rand(self._grains(z), z) < alpha).to(alpha.dtype)
        return alpha.expand(len(z), *alpha.shape[1:])

    def _grains(self, z: Tensor) -> tuple[int, ...]:
        """The shape of one coefficient for each of a code's grains."""
        whole = self.grain == "element" or z.ndim < 2
        return tuple(z.shape) if whole else (*z.shape[:2], *[1] * (z.ndim - 2))

    def _partners(self, z: Tensor, mask: Tensor | None, count: int = 1) -> list[tuple[Tensor, Tensor | None]]:
        """``count`` partners for every code, and where either of the two is valid."""
        if callable(self.pairing):
            if mask is not None:
                raise ValueError("pairing: expected a name beside a mask, got a callable, whose mask nobody knows")
            partners: list[tuple[Tensor, Tensor | None]] = [(self.pairing(z), None) for _ in range(count)]
        elif self.pairing == "prior":
            partners = [(self._draw_prior(z), mask) for _ in range(count)]
        elif self.pairing == "reverse":
            partners = [(z.flip(0), None if mask is None else mask | mask.flip(0))]
        else:
            cycle = self._rand((len(z),), z).argsort()
            turn = cycle.argsort()  # position of each sample in the cycle
            chosen = [cycle.roll(-step)[turn] for step in range(1, count + 1)]
            partners = [(z[rows], None if mask is None else mask | mask[rows]) for rows in chosen]
        for partner, _ in partners:
            _checks.check_tensor("pairing", partner)
            _checks.check_shape("pairing", partner, z.shape, "the codes")
        return partners

    def _draw_prior(self, z: Tensor) -> Tensor:
        if self.prior is not None:
            return self.prior(z)
        return normal(z.shape, z, self.generator).to(z.dtype)

    def _crowd(self, z: Tensor, mask: Tensor | None) -> tuple[Mix, Tensor | None]:
        """A mix of k codes."""
        partners = self._partners(z, mask, self.ways - 1)
        for _, either in partners:
            mask = None if mask is None or either is None else mask | either
        others = torch.stack([partner for partner, _ in partners])
        if self.kind == "bernoulli":
            return one_of(z, others, self._rand(self._grains(z), z)), mask
        return barycentre(z, others, self._rand((self.ways, len(z)), z)), mask
