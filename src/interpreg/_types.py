"""The types that all folders share."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor

Network = Callable[..., Tensor]
"""An encoder, a decoder or a critic network: one tensor (and a padding mask, where there is one) in, one out."""


Preset = Literal["published", "paper"] | None
"""None, the default: the paper's equations. "published": the released code, where it differs; "paper" is the same."""


class Codes(Protocol):
    """The codes of a batch ``[B, ...]``, and where they are valid."""

    @property
    def z(self) -> Tensor:
        """The codes."""

    mask: Tensor | None


class Mix(NamedTuple):
    """Mixed codes, their coefficients and their partners."""

    z_mix: Tensor
    """The mixed codes, shaped and typed like the codes."""
    alpha: Tensor
    """The coefficients, broadcastable to the codes; fp32 where these are in half precision."""
    z_partner: Tensor
    """The partners, shaped like the codes; of padded sequences continued by the own code where they end."""
    mask: Tensor | None = None
    """``[B, T]``, where either of the two codes is valid; None without a padding mask."""


class Interpolants(NamedTuple):
    """Mixed codes with their coefficients and their decoded images; mask and partners are those of the :class:`Mix`."""

    z_mix: Tensor
    alpha: Tensor
    x_mix: Tensor
    mask: Tensor | None = None
    z_partner: Tensor | None = None


class Term(NamedTuple):
    """One named loss before its weight is applied."""

    value: Tensor | Callable[[], Tensor]
    """0-dim; or a function that computes it, called only where the weight is not 0."""
    weight: Any
    """As read from a :class:`interpreg.regularizers.weights.Weight`; or a number or a 0-dim tensor."""
