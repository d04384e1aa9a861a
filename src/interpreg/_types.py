"""Names for the shapes of things that every floor of the house passes around."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

Network = Callable[..., Tensor]
"""An encoder, a decoder or a critic network: one tensor (and a padding mask, where there is one) in, one out."""


class Mix(NamedTuple):
    """A mixed code and how it was made."""

    z_mix: Tensor
    """The mixed code, shaped and typed like the code."""
    alpha: Tensor
    """The coefficient, broadcastable to the code; fp32 where the code is half precision."""
    z_partner: Tensor
    """What the code was mixed with."""


class Interpolants(NamedTuple):
    """A mixed code, its coefficient and its decoded image."""

    z_mix: Tensor
    alpha: Tensor
    x_mix: Tensor
    mask: Tensor | None = None
    """``[B, T]``, where either of the two codes is valid; None where no padding mask was given."""


class Adaptive(NamedTuple):
    """A weight times the ratio of two gradients' norms, which the call that uses it measures."""

    weight: float | Tensor
    at: Tensor
    """The parameter at which the gradients are compared: the decoder's last layer."""


class Term(NamedTuple):
    """One named loss before its weight is applied; 0-dim."""

    value: Tensor
    weight: float | Tensor | Adaptive
