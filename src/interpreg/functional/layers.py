"""Layers computed from their definitions, because torch's second derivatives of them are wrong.

When torch's rules for batch, layer and instance normalisation, forward mode and double backward alike, are themselves
differentiated, they treat the batch's mean and variance as constants: the derivative along a path is right, its
gradient is silently wrong. They also mix dtypes under autocast and cannot be traced by torch.compile. The softmax's
forward rule overwrites tensors that its own backward uses.

:class:`WrittenOut` replaces what Python calls by ``torch.nn.functional``, and refuses what it calls by other names.
Scripted modules and operators in C++ call below Python; :func:`nothing_below` refuses those.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as layers
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import Parameter
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from interpreg._numerics import as_wide


class WrittenOut(TorchFunctionMode):
    """A context in which normalisations and attention are computed from their definition, softmaxes out of place.

    Values are the same to rounding; running statistics are updated as usual.

    Raises:
        RuntimeError: a normalisation is called by another name than that in ``torch.nn.functional``.
    """

    @override
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _REPLACED:
            return _REPLACED[func](*args, **kwargs)
        if func in _REFUSED:
            raise _refusal(getattr(func, "__name__", str(func)))
        if func is Tensor.unflatten:  # a method that torch.compile cannot trace inside a mode
            return torch.unflatten(*args, **kwargs)
        if func in _SOFTMAXES and not torch.compiler.is_compiling():
            # torch's base class is not typed
            with sdpa_kernel(SDPBackend.MATH), _OutOfPlace():  # type: ignore[no-untyped-call]
                return func(*args, **kwargs)
        return func(*args, **kwargs)


class _OutOfPlace(TorchDispatchMode):
    """A mode that changes nothing: torch's rules overwrite no tensors where any dispatch mode is active."""

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


@contextmanager
def nothing_below() -> Iterator[None]:
    """A context that refuses normalisations that :class:`WrittenOut` did not replace, whoever called them.

    Raises:
        RuntimeError: at the end; an error from inside torch.jit would lose its message.
    """
    with _Seen() as seen:  # type: ignore[no-untyped-call]
        yield
    if seen.name:
        raise _refusal(seen.name)


class _Seen(TorchDispatchMode):
    """A mode that notes the name of a normalisation that the dispatcher has reached."""

    name = ""

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # without gradients, the update of running statistics
        if torch.is_grad_enabled() and any(kind in func.name() for kind in ("batch_norm", "layer_norm")):
            self.name = func.name()
        with torch._C.DisableTorchFunction():  # else WrittenOut would be asked once more
            return func(*args, **(kwargs or {}))


def _refusal(name: str) -> RuntimeError:
    return RuntimeError(
        f"decoder: expected normalisations called by torch.nn.functional, got {name}, with which gradients would be "
        "wrong; use method='finite', or the module itself for a scripted or traced one"
    )


def _normalised(values: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Values of mean 0 and variance 1 over some axes."""
    variance, mean = torch.var_mean(values, axes, correction=0, keepdim=True)
    return (values - mean) * (variance + eps).rsqrt()


def _scaled(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    values = values if weight is None else values * weight
    return values if bias is None else values + bias


def _scaled_channels(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    channels = (1, -1, *[1] * (values.ndim - 2))
    weight, bias = (None if each is None else each.reshape(channels) for each in (weight, bias))
    return _scaled(values, weight, bias)


def _statistics_norm(
    layer: Callable[..., Tensor], axes: tuple[int, ...], input: Tensor, running: tuple[Tensor | None, Tensor | None],
    weight: Tensor | None, bias: Tensor | None, of_input: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """Batch or instance normalisation, by the statistics of the input over ``axes`` or by running ones."""
    if of_input:
        with torch.no_grad():  # updates the running statistics, and raises the layer's own errors
            layer(forward_ad.unpack_dual(input).primal.detach(), *running, None, None, True, momentum, eps)
        normalised = _normalised(as_wide(input), axes, eps)
    else:
        channels = (1, -1, *[1] * (input.ndim - 2))
        mean, variance = (each.reshape(channels) for each in running if each is not None)
        normalised = (as_wide(input) - mean) * (variance + eps).rsqrt()
    return _scaled_channels(normalised, weight, bias).to(input.dtype)


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    return _scaled(_normalised(as_wide(input), axes, eps), weight, bias).to(input.dtype)


def _rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    values, axes = as_wide(input), tuple(range(-len(normalized_shape), 0))
    floor = torch.finfo(input.dtype).eps if eps is None else eps
    normalised = values * (values.square().mean(axes, keepdim=True) + floor).rsqrt()
    return _scaled(normalised, weight, None).to(input.dtype)


def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    groups = as_wide(input).reshape(input.shape[0], num_groups, -1)
    return _scaled_channels(_normalised(groups, (2,), eps).reshape(input.shape), weight, bias).to(input.dtype)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    axes, running = (0, *range(2, input.ndim)), (running_mean, running_var)
    return _statistics_norm(layers.batch_norm, axes, input, running, weight, bias, training, momentum, eps)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    axes, running = tuple(range(2, input.ndim)), (running_mean, running_var)
    return _statistics_norm(
        layers.instance_norm, axes, input, running, weight, bias, use_input_stats, momentum, eps
    )


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Value and tangent computed apart, because torch takes ten times as long for a bias without a tangent."""
    value, tangent = forward_ad.unpack_dual(input)
    if tangent is None or _has_tangent(weight) or _has_tangent(bias):
        return layers.linear(input, weight, bias)
    dual: Tensor = forward_ad.make_dual(layers.linear(value, weight, bias), layers.linear(tangent, weight))
    return dual


def _has_tangent(weight: Tensor | None) -> bool:
    # a parameter that is made dual is none any more
    if weight is None or type(weight) is Parameter:
        return False
    return forward_ad.unpack_dual(weight).tangent is not None


_REPLACED: dict[Any, Callable[..., Tensor]] = {
    layers.linear: _linear,
    layers.layer_norm: _layer_norm,
    layers.rms_norm: _rms_norm,
    layers.group_norm: _group_norm,
    layers.batch_norm: _batch_norm,
    layers.instance_norm: _instance_norm,
}
_REFUSED = {
    function
    for space in (torch, torch.ops.aten)
    for name in (
        "layer_norm", "native_layer_norm", "batch_norm", "native_batch_norm", "_native_batch_norm_legit",
        "_batch_norm_impl_index", "_batch_norm_with_update", "cudnn_batch_norm", "miopen_batch_norm", "instance_norm",
    )
    if hasattr(space, name)
    for packet in [getattr(space, name)]
    for function in [packet, *(getattr(packet, overload) for overload in getattr(packet, "overloads", list)())]
}  # fmt: skip
_SOFTMAXES = {
    layers.softmax,
    layers.softmin,
    layers.gumbel_softmax,
    layers.log_softmax,
    layers.scaled_dot_product_attention,
    layers.multi_head_attention_forward,
    torch.softmax,
    torch.log_softmax,
    torch.logsumexp,
    torch.special.softmax,
    torch.special.log_softmax,
    torch.special.logsumexp,
    Tensor.softmax,
    Tensor.log_softmax,
    Tensor.logsumexp,
}
