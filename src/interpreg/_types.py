"""The types that every floor of the house passes around."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor

Network = Callable[..., Tensor]
"""An encoder, a decoder or a critic network: one tensor (and a padding mask, where there is one) in, one out."""


Preset = Literal["published", "paper"] | None
"""None, the default: the paper's equations. "published": the released code, where it differs; "paper" is the same."""


class Codes(Protocol):
    """What is mixed: the codes of a batch and where they are valid."""

    @property
    def z(self) -> Tensor:
        """The codes ``[B, ...]``."""

    mask: Tensor | None


class Mix(NamedTuple):
    """A mixed code and how it was made."""

    z_mix: Tensor
    """The mixed code, shaped and typed like the code."""
    alpha: Tensor
    """The coefficient, broadcastable to the code; fp32 where the code is half precision."""
    z_partner: Tensor
    """What the code was mixed with."""
    mask: Tensor | None = None
    """``[B, T]``, where either of the two codes is valid; None where no padding mask was given."""


class Interpolants(NamedTuple):
    """A mixed code, its coefficient and its decoded image."""

    z_mix: Tensor
    alpha: Tensor
    x_mix: Tensor
    mask: Tensor | None = None
    """As of the :class:`Mix`."""


class Term(NamedTuple):
    """One named loss before its weight is applied."""

    value: Tensor | Callable[[], Tensor]
    """0-dim; or a function that computes it, called only where the weight is not 0."""
    weight: Any
    """As read from a :class:`interpreg.regularizers.weights.Weight`; or a number or a 0-dim tensor."""
