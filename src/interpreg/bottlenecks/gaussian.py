"""Codes that are samples of a Gaussian posterior."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from typing_extensions import override

from interpreg import _checks
from interpreg._numerics import as_wide
from interpreg._types import Network
from interpreg.bottlenecks.base import Bottleneck
from interpreg.functional.noise import sample_normal

SAMPLES = ("training", "always")
LOG_VARIANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "log_variance": lambda scale: scale,
    "log_std": lambda scale: 2 * as_wide(scale),
    "std": lambda scale: 2 * as_wide(scale).log(),
    "variance": lambda scale: as_wide(scale).log(),
}
SPREADS = {
    **dict.fromkeys(("logvar", "logvariance", "lnvar", "logsigma2"), "log_variance"),
    **dict.fromkeys(("logstd", "logsigma", "logscale"), "log_std"),
    **dict.fromkeys(("std", "stddev", "sigma", "scale"), "std"),
    **dict.fromkeys(("var", "variance"), "variance"),
}
"""What names of fields, without underscores, say that stands beside the mean."""
_RETURN = (
    "; return (mean, log_variance), or one tensor of both along axis=, or give heads=(of mean, of log_variance); "
    "for a spread that is no log variance give scale="
)


class Posterior(NamedTuple):
    """The auxiliary output of a :class:`GaussianBottleneck`: a Gaussian with independent coordinates for each code."""

    mean: Tensor
    """mu, shaped like the code."""
    log_variance: Tensor
    """The logarithm of the variances, of the same shape."""


class GaussianBottleneck(Bottleneck):
    r"""An encoder whose code is a sample of a Gaussian posterior (Kingma and Welling 2014).

    .. math:: z = \mu(x) + \sigma(x) \odot \epsilon, \qquad \epsilon \sim \mathcal N(0, I)

    Every regularizer then works on a variational autoencoder: they mix, decode and compare samples. The posterior,
    a :class:`Posterior`, is kept for :class:`interpreg.KLPrior`. In fp32 at least, returned in the
    network's dtype.

    A fresh copy, as a critic is made of, returns the mean and has no head for the log variance; where one network gives
    both, its copy keeps what makes the log variance, and nothing depends on it. ``critic=fresh_copy(encoder.network)``
    is a critic without heads.

    Args:
        network: the encoder inside, called once. What it returns is ``(mean, log_variance)``; or one tensor, the two
            halves of which along ``axis`` are these; or a ``torch.distributions.Normal``, perhaps in an
            ``Independent``; or with ``heads`` what they take.
        heads: ``(mean_head, log_variance_head)``, two modules that turn what ``network`` returns into the two.
        axis: which axis of a single tensor is halved; 1, when not given, for vectors and maps, -1 for sequences
            ``[B, T, 2 D]``.
        scale: what stands beside the mean: "log_variance", "log_std", "std" or "variance"; the last two positive, as
            after a softplus. It cannot be seen from values which one it is.
        sample: "training": a sample in training mode and the mean in eval mode. "always": a sample in both, as the
            published VAE of ACAI's comparison, whose interpolations are between samples.
        generator: where the noise comes from; torch's default generator when not given.

    Raises:
        TypeError, ValueError: an argument of the wrong type, name or range; at a call, an output that is none of these.

    >>> encoder = GaussianBottleneck(nn.Linear(8, 4))  # 2 means, 2 log variances
    >>> encoder(torch.randn(3, 8)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        network: Network,
        *,
        heads: tuple[nn.Module, nn.Module] | None = None,
        axis: int | None = None,
        scale: Literal["log_variance", "log_std", "std", "variance"] = "log_variance",
        sample: Literal["training", "always"] = "training",
        generator: torch.Generator | None = None,
    ) -> None:
        _checks.check_network("network", network)
        if heads is not None and not (
            isinstance(heads, (tuple, list)) and len(heads) == 2 and all(isinstance(h, nn.Module) for h in heads)
        ):
            raise TypeError(
                f"heads: expected two modules, (mean_head, log_variance_head), got {_checks.describe(heads)}"
            )
        _checks.check_one_of("scale", scale, LOG_VARIANCES)
        _checks.check_one_of("sample", sample, SAMPLES)
        if heads is not None:
            _checks.check_unused("axis", axis, "heads")
        axis = 1 if axis is None else axis
        if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
            raise ValueError(f"axis: expected an int other than 0, the batch's axis, got {_checks.describe(axis)}")
        super().__init__(network)
        self.mean_head: nn.Module | None = heads[0] if heads else None
        self.log_variance_head: nn.Module | None = heads[1] if heads else None
        self.axis, self.scale, self.sample = axis, scale, sample
        self.generator = _checks.as_generator(generator)

    @classmethod
    def dense(
        cls,
        network: Network,
        code_shape: Sequence[int],
        *,
        sample: Literal["training", "always"] = "training",
        generator: torch.Generator | None = None,
    ) -> Self:
        """With the heads of ACAI's published VAE: the code flattened, a linear layer of its size for each, reshaped.

        The layers begin as published, Glorot-uniform with biases of 0.

        Args:
            network: an encoder that returns one tensor ``[B, *code_shape]``.
            code_shape: the shape of one code.
            sample, generator: as above.

        Raises:
            TypeError, ValueError: an argument of the wrong type or range.

        >>> GaussianBottleneck.dense(nn.Conv2d(1, 4, 2, 2), (4, 3, 3))(torch.randn(2, 1, 6, 6)).shape
        torch.Size([2, 4, 3, 3])
        """
        if not isinstance(code_shape, Sequence) or isinstance(code_shape, str) or not code_shape:
            raise TypeError(
                f"code_shape: expected the axes of one code, such as (64,), got {_checks.describe(code_shape)}"
            )
        shape = torch.Size(_checks.as_count("code_shape", length, low=1) for length in code_shape)
        heads = (_dense_head(shape), _dense_head(shape))
        return cls(network, heads=heads, sample=sample, generator=generator)

    @override
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The codes: a sample of the posterior, or its mean."""
        output = self.encoded(x, mask)
        if self.passthrough and self.mean_head is not None:
            return self.mean_head(output)  # type: ignore[no-any-return]  # modules return Any
        posterior = self._posterior(output)
        if self.passthrough:
            return posterior.mean
        sampled = self.training or self.sample == "always"
        z = sample_normal(*posterior, self.generator) if sampled else posterior.mean
        self.keep_aux(z, posterior)
        return z

    @override
    def make_passthrough(self) -> None:
        super().make_passthrough()
        self.log_variance_head = None  # so that a critic has no parameters that nothing depends on

    @override
    def join_aux(self, parts: Sequence[Posterior]) -> Posterior:
        """The posteriors of all parts in a row."""
        return Posterior(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def _posterior(self, output: object) -> Posterior:
        if isinstance(output, Distribution) and self.mean_head is None:
            return _posterior_of(output)
        if self.mean_head is not None and self.log_variance_head is not None:
            mean, scale = self.mean_head(output), self.log_variance_head(output)
        elif isinstance(output, (tuple, list)):
            if len(output) != 2:
                raise ValueError(f"network: expected two tensors, got {_checks.describe(output)}{_RETURN}")
            _check_names(output, self.scale)
            mean, scale = output
        else:
            mean, scale = self._halves(output)
        mean, scale = _checks.as_floats("mean", mean, _hint), _checks.as_floats(self.scale, scale, _hint)
        _checks.check_shape(self.scale, scale, mean.shape, "the mean")
        return Posterior(mean, LOG_VARIANCES[self.scale](scale))

    def _halves(self, output: object) -> Sequence[Tensor]:
        output = _checks.as_floats("network", output, _hint)
        axis = self.axis % output.ndim if -output.ndim < self.axis < output.ndim else 0
        if axis == 0 or output.shape[axis] % 2:
            raise ValueError(
                f"network: expected an even number of elements along axis {self.axis}, half of them means and half of "
                f"{self.scale}, got {_checks.describe(output)}{_RETURN}"
            )
        return output.chunk(2, axis)


def _check_names(output: object, scale: str) -> None:
    """Raise ``ValueError`` if the names of a named tuple say another order or spread than it is read in."""
    fields = getattr(output, "_fields", ())
    names = [name.lower().replace("_", "") for name in fields]
    named = None if not names else SPREADS.get(names[1])
    if names and (names[0] in SPREADS or (named is not None and named != scale)):
        remedy = "return the mean first" if named is None else f"give scale={named!r}"
        raise ValueError(
            f"network: expected a mean and a {scale}, got a named tuple of {', '.join(fields)}; {remedy}"
        )


def _hint(_: object) -> str:
    return _RETURN


def _posterior_of(distribution: Distribution) -> Posterior:
    normal = distribution
    while isinstance(normal, Independent):
        normal = normal.base_dist
    if not isinstance(normal, Normal):
        raise TypeError(
            f"network: expected a Normal, whose coordinates are independent, got a {type(normal).__name__}{_RETURN}"
        )
    mean, std = (_checks.as_floats("Normal", each) for each in (normal.loc, normal.scale))
    return Posterior(mean, LOG_VARIANCES["std"](std))


def _dense_head(shape: torch.Size) -> nn.Module:
    linear = nn.Linear(shape.numel(), shape.numel())
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.Flatten(), linear, nn.Unflatten(1, shape))
