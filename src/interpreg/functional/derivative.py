"""Directional derivatives of a decoder."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import get_device_states, set_device_states

from interpreg import _checks
from interpreg._networks import parameters_of, submodules_of
from interpreg._numerics import as_wide, wide_dtype
from interpreg._types import Network
from interpreg.functional.layers import WrittenOut, nothing_below
from interpreg.functional.means import mean, with_features

METHODS = ("forward", "double-backward", "finite")
_INSTEAD = "use method='double-backward' or method='finite'"


def path_derivative(
    decoder: Network, z: Tensor, direction: Tensor, *, method: str = "forward", module: object = None
) -> tuple[Tensor, Tensor]:
    r"""The decoded codes and their derivative along a direction.

    .. math:: \left(g(z), \; J_g(z)\, v = \frac{\partial}{\partial t} g(z + t v) \Big|_{t=0}\right)

    Differentiable in the decoder's parameters, in z and in v. The decoder may have layers that depend on the whole
    batch. Normalisations in it are computed from their definition, because the derivatives of torch's own rules are
    wrong, and attention by its mathematics, because no fused kernel has a second derivative. Under
    ``torch.inference_mode`` the values are the same, as ordinary tensors without a graph.

    Args:
        decoder: g, called through ``__call__``; a module or another callable of one tensor.
        z: codes ``[B, ...]``.
        direction: v, shaped like them.
        method: "forward", one pass in forward mode; "double-backward", one pass, its gradient, and the gradient of
            that, which is slower and supports activation checkpointing; "finite", the central difference of two more
            passes a step of :math:`\epsilon^{1/3}` away, which supports every decoder that can be trained. Those two
            passes draw the random numbers of the first again, do not change buffers, and run without autocast.
        module: for "finite", the callable whose modules have the buffers; when not given, the decoder.

    Returns:
        ``(x, dx)``, shaped alike.

    Raises:
        TypeError, ValueError: an argument of the wrong type, shape or name; in compiled code, another method than
            "forward".
        RuntimeError: the decoder has an operation that the method does not support, or loses the tangent, or calls a
            normalisation by another way than :mod:`torch.nn`, as ``torch.layer_norm``.

    With "forward" and "double-backward", three kinds of decoders are silently wrong here, and refused or differentiated
    by another method in :class:`interpreg.AlphaSmoothness`, which makes a trial: a custom operator (``torch.library``)
    beside other branches drops its own part of a tangent; a ``torch.autograd.Function`` that keeps intermediate results
    drops their part of the gradient; batch, layer and instance normalisation that Python does not call (scripted or
    traced modules, operators in C++) have a wrong gradient. Finite differences are right for all three.

    >>> x, dx = path_derivative(torch.sin, torch.zeros(2), torch.tensor([1.0, 2.0]))
    >>> dx
    tensor([1., 2.])
    """
    _checks.check_one_of("method", method, METHODS)
    _checks.check_tensor("z", z)
    _checks.check_tensor("direction", direction)
    _checks.check_shape("direction", direction, z.shape, "z")
    return derivative(decoder, z, direction, method, decoder if module is None else module)


def derivative(
    decoder: Network, z: Tensor, direction: Tensor, method: str, network: object, *, strict: bool = False
) -> tuple[Tensor, Tensor]:
    """:func:`path_derivative` without its checks; ``strict``: slower, and no normalisation is silently wrong."""
    if not torch.compiler.is_compiling() and torch.is_inference_mode_enabled():  # in which tangents are lost
        with torch.inference_mode(False), torch.no_grad():
            return derivative(decoder, z.clone(), direction.clone(), method, network)
    if method == "forward":
        return _forward(decoder, z, direction, strict)
    if torch.compiler.is_compiling():
        raise ValueError(f"method: expected 'forward' in compiled code, which traces no other, got {method!r}")
    if method == "double-backward":
        return _double_backward(decoder, z, direction, strict)
    return finite(decoder, z, direction, network)


def smoothness_loss(dx: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""The mean over the batch and over elements of :math:`(\partial x_\mathrm{mix} / \partial\alpha)^2`.

    AEAI's :math:`\mathcal L_S` (Oring, Yakhini, Hel-Or 2021, eq. 1) as a mean.

    Args:
        dx: derivatives of interpolants, ``[B, ...]``.
        mask: boolean ``[B, T]``; then the mean is over valid positions.

    Returns:
        0-dim, in fp32 at least, not negative.

    Raises:
        TypeError, ValueError: an argument of the wrong type or shape.

    >>> smoothness_loss(torch.tensor([[1.0, 3.0]]))
    tensor(5.)
    """
    _checks.check_tensor("dx", dx)
    return mean(as_wide(with_features(dx, mask)).square(), mask)


def _forward(decoder: Network, z: Tensor, direction: Tensor, strict: bool) -> tuple[Tensor, Tensor]:
    with (
        _clear_errors(),
        _traced_attention(),
        nothing_below() if strict else nullcontext(),
        forward_ad.dual_level(),
        WrittenOut(),
    ):
        decoded = decoder(forward_ad.make_dual(z, direction.to(z.dtype)))
        x, dx = forward_ad.unpack_dual(decoded)
    if dx is None:  # not a zero: an operation of the decoder lost it
        raise RuntimeError(f"decoder: expected it to carry tangents in forward mode, got none from it; {_INSTEAD}")
    return x, dx.to(x.dtype)  # a number in the decoder makes some tangents float64


def _traced_attention() -> AbstractContextManager[None]:
    """In compiled code, where :class:`WrittenOut` enters no context, attention by its formula."""
    return sdpa_kernel(SDPBackend.MATH) if torch.compiler.is_compiling() else nullcontext()


def _double_backward(decoder: Network, z: Tensor, direction: Tensor, strict: bool) -> tuple[Tensor, Tensor]:
    """The derivative as the gradient of the gradient, which is linear in its seed."""
    grad_enabled = torch.is_grad_enabled()
    with torch.enable_grad(), nothing_below() if strict else nullcontext(), WrittenOut():
        start = z if z.requires_grad else z.detach().requires_grad_()
        x = decoder(start)
        seed = torch.zeros_like(x, requires_grad=True)
        pulled = None
        if x.requires_grad:
            (pulled,) = torch.autograd.grad(x, start, seed, create_graph=True, allow_unused=True)
        if pulled is None or not pulled.requires_grad:
            raise RuntimeError("decoder: expected a gradient of its gradient, got none; use method='finite'")
        (dx,) = torch.autograd.grad(pulled, seed, direction.to(pulled.dtype), create_graph=True)
    return (x, dx) if grad_enabled else (x.detach(), dx.detach())


def finite(
    decoder: Network, z: Tensor, direction: Tensor, network: object, *, step: float | None = None
) -> tuple[Tensor, Tensor]:
    """The central difference; the buffers of the modules behind ``network`` change as in one pass."""
    buffers = {id(buffer): (buffer, buffer.clone()) for m in submodules_of(network) for buffer in m.buffers(False)}
    devices, states = get_device_states(z)
    before = torch.get_rng_state()
    x = decoder(z)
    if torch.is_autocast_enabled(z.device.type):
        z, direction = (each.to(_trained_dtype(network, z)) for each in (z, direction))
    step = torch.finfo(z.dtype).eps ** (1 / 3) if step is None else step
    ends = []
    for signed in (step, -step):
        with (
            torch.random.fork_rng(devices, device_type=z.device.type),
            torch.autocast(z.device.type, enabled=False),
            replaced(network, {key: copy.clone() for key, (_, copy) in buffers.items()}),
        ):
            torch.set_rng_state(before)
            set_device_states(devices, states, device_type=z.device.type)
            ends.append(decoder(z + signed * direction))
    wide = wide_dtype(ends[0])
    return x, (ends[0].to(wide) - ends[1].to(wide)) / (2 * step)


@contextmanager
def replaced(network: object, tensors: dict[int, Tensor]) -> Iterator[None]:
    """A context with other parameters and buffers, given by the ``id`` of the ones that they replace.

    So a tensor, or a layer, is replaced under all of its names. Whatever a call sets as an attribute, or puts into a
    list or a dict that is one, is taken back.
    """
    scripted: list[tuple[torch.jit.ScriptModule, str, Tensor]] = []
    attributes = []
    for m in submodules_of(network):
        own = [*m.named_parameters(recurse=False), *m.named_buffers(recurse=False)]
        if isinstance(m, torch.jit.ScriptModule):
            scripted += [(m, name, tensor) for name, tensor in own]
        else:
            attributes.append((vars(m), dict(vars(m))))
    kept = [each for _, before in attributes for each in before.values() if type(each) in (list, dict)]
    held = [(each, each.copy()) for each in kept]
    try:
        for m, name, tensor in scripted:
            m._c.setattr(name, tensors.get(id(tensor), tensor))
        for current, _ in attributes:
            for kind in ("_parameters", "_buffers"):
                current[kind] = {name: tensors.get(id(tensor), tensor) for name, tensor in current[kind].items()}
        yield
    finally:
        for m, name, tensor in scripted:
            m._c.setattr(name, tensor)
        for current, before in attributes:
            current.clear()
            current.update(before)
        for each, items in held:
            each.clear()
            each.extend(items) if isinstance(each, list) else each.update(items)


def _trained_dtype(network: object, z: Tensor) -> torch.dtype:
    """The dtype of a decoder's parameters, for a call without autocast."""
    return next((p.dtype for p in parameters_of(network) if p.is_floating_point()), wide_dtype(z))


@contextmanager
def _clear_errors() -> Iterator[None]:
    """An error that names another method where torch has no forward mode of an operation."""
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        said = str(error)
        if not any(part in said for part in ("forward AD", "forward mode", "_make_dual", "_unpack_dual")):
            raise
        raise RuntimeError(
            f"decoder: expected operations with a forward mode, got one without; {_INSTEAD}"
        ) from error
