"""A request to a backend, and its result."""

from typing import NamedTuple

from torch import Tensor

from interpreg.kernels import Kernel
from interpreg.mmd.closed_form import Expectations, expectations
from interpreg.priors import Normal


class Request(NamedTuple):
    r"""The combination of raw sums that makes an estimate.

    With weights u and v, or ones, the sums are :math:`xx = \sum_{i \ne j} u_i u_j k(x_i, x_j)`, yy likewise,
    :math:`xy = \sum_{ij} u_i v_j k(x_i, y_j)`, and :math:`xp = \sum_i u_i p(x_i)` with the prior's potential p.
    """

    x: Tensor  # [n, d], fp32 or fp64, contiguous
    y: Tensor | None  # [m, d]
    u: Tensor | None  # [n], typed like x
    v: Tensor | None  # [m]
    coefs: Tensor  # [4] float64: of xx, yy, xy, xp
    kernel: Kernel
    blocks: tuple[bool, bool, bool]
    """Which of xx, yy, xy to sum; the others are 0."""
    prior: Normal | None = None
    """Adds xp and the prior's self-energy."""

    @property
    def closed(self) -> Expectations | None:
        """The closed forms of the kernel and the prior."""
        return None if self.prior is None else expectations(self.kernel, self.prior, self.x.shape[1])


class Swept(NamedTuple):
    """Raw sums and the gradient of their combination."""

    sums: Tensor  # [4] float64: xx, yy, xy, xp
    grad_x: Tensor | None
    grad_y: Tensor | None
