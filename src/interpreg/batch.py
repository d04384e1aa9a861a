"""The shared forward pass of one batch: whatever two terms both need is computed once."""

from torch import Tensor

from interpreg import _checks
from interpreg._types import Interpolants, Network
from interpreg.interpolator import Interpolator

_DEFAULT = Interpolator()
_IMAGES = " (images are expected as floats in [-1, 1]: x.float() / 127.5 - 1)"
_CODE = " (where the encoder returns more than its code, wrap it in a function that returns the code alone)"


class Batch:
    """A batch, its codes, its reconstructions and its interpolants, each computed when first asked for.

    Args:
        x: images or any other samples ``[B, ...]``, floating point.
        encoder, decoder: called through ``__call__`` alone, so wrappers and hooks keep working.
        z: the codes, where the caller has them already.
        x_hat: the reconstructions, where the caller has them already.
        interpolator: what mixes for terms that name no interpolator; ACAI's when not given.

    Raises:
        TypeError: something is not a floating point tensor.
        ValueError: a shape does not fit: codes not one a sample, reconstructions not shaped like ``x``.
    """

    def __init__(
        self,
        x: Tensor,
        encoder: Network,
        decoder: Network,
        *,
        z: Tensor | None = None,
        x_hat: Tensor | None = None,
        interpolator: Interpolator | None = None,
    ) -> None:
        _checks.is_tensor("x", x, _IMAGES)
        if len(x) == 0:
            raise ValueError(f"x: expected at least one sample, got {_checks.describe(x)}")
        if z is not None:
            _checks.is_tensor("z", z)
            _checks.has_batch("z", z, len(x))
        if x_hat is not None:
            _checks.is_tensor("x_hat", x_hat)
            _checks.has_shape("x_hat", x_hat, x.shape, "x")
        self.x = x
        self.encoder = encoder
        self.decoder = decoder
        self._z = z
        self._x_hat = x_hat
        self.interpolator = interpolator or _DEFAULT
        self._interpolants: list[tuple[Interpolator, Interpolants]] = []

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""
        if self._z is None:
            z = self.encoder(self.x)
            _checks.is_tensor("encoder", z, _CODE)
            _checks.has_batch("encoder", z, len(self.x))
            self._z = z
        return self._z

    @property
    def x_hat(self) -> Tensor:
        """The reconstructions, shaped like ``x``."""
        if self._x_hat is None:
            self._x_hat = self._decode(self.z)
        return self._x_hat

    def interpolants(self, interpolator: Interpolator | None = None) -> Interpolants:
        """The interpolants of ``interpolator``, drawn and decoded once however many terms ask."""
        interpolator = interpolator or self.interpolator
        for known, interpolants in self._interpolants:
            if known is interpolator:
                return interpolants
        z_mix, alpha, _ = interpolator.sample(self.z)
        interpolants = Interpolants(z_mix, alpha, self._decode(z_mix))
        self._interpolants.append((interpolator, interpolants))
        return interpolants

    def _decode(self, z: Tensor) -> Tensor:
        images = self.decoder(z)
        _checks.is_tensor("decoder", images)
        _checks.has_shape("decoder", images, self.x.shape, "x")
        return images
