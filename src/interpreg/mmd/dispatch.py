"""The choice of a backend for a request, and the value as an autograd function and as a custom operator."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from interpreg import _checks
from interpreg.kernels import Spec, from_spec
from interpreg.mmd import native, reference, tiled, triton
from interpreg.mmd.request import Request, Swept
from interpreg.priors import Normal


class Backend(NamedTuple):
    """A sweep, and the function that returns why it cannot serve a request, or an empty string."""

    sweep: Callable[[Request, bool, bool], Swept]
    refuses: Callable[[Request], str]


FUSED = {
    "native": Backend(native.sweep, native.refuses),
    "triton": Backend(triton.sweep, triton.refuses),
    "tiled": Backend(tiled.sweep, lambda request: ""),
}
BACKENDS = ["auto", "reference", *FUSED]


def value(request: Request, backend: str = "auto") -> Tensor:
    """The combination of the request's sums, 0-dim, typed like x, differentiable in x and y.

    Forward-mode derivatives, ``torch.func`` and derivatives of the weights go through the dense reference; so do second
    derivatives, at its memory cost.
    """
    _checks.check_one_of("backend", backend, BACKENDS)
    y, u, v = (None if each is None else each.contiguous() for each in request[1:4])
    request = request._replace(x=request.x.contiguous(), y=y, u=u, v=v)
    if backend == "reference" or is_transformed() or _needs_grad(u) or _needs_grad(v):
        return reference.value(request)
    if torch.compiler.is_compiling() or not is_plain(request.x):
        return _compiled(request, backend)
    name = choose(request, backend)
    want_x, want_y = _needs_grad(request.x), _needs_grad(y)
    swept = FUSED[name].sweep(request, want_x, want_y)
    if not (want_x or want_y):
        return _total(request, swept)
    return _Combination.apply(request.x, request.y, request, swept)  # type: ignore[no-any-return, no-untyped-call]


def choose(request: Request, backend: str) -> str:
    """The name of the fused backend to use: the named one, or the first that can serve the request."""
    if backend == "auto":
        return next(name for name, fused in FUSED.items() if not fused.refuses(request))
    if refusal := FUSED[backend].refuses(request):
        able = [name for name in BACKENDS if name not in FUSED or not FUSED[name].refuses(request)]
        raise ValueError(
            f"backend: expected one that can do this here, {', '.join(map(repr, able))}, got {backend!r}, "
            f"which cannot: {refusal}"
        )
    return backend


class _Combination(torch.autograd.Function):
    """Value and gradients from one sweep; second derivatives by the dense reference."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor | None, request: Request, swept: Swept) -> Tensor:
        ctx.save_for_backward(x, y, swept.grad_x, swept.grad_y)
        ctx.request = request
        ctx.set_materialize_grads(False)
        return _total(request, swept)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        if grad is None:
            return None, None, None, None
        x, y, grad_x, grad_y = ctx.saved_tensors
        # create_graph=True: the gradient itself has to be differentiable
        if torch.is_grad_enabled():
            # aliases, because y may depend on x; saved tensors detect in-place changes
            x, y = x.view_as(x), None if y is None else y.view_as(y)
            dense = reference.value(ctx.request._replace(x=x, y=y))
            leaves = [s for s, slope in ((x, grad_x), (y, grad_y)) if s is not None and slope is not None]
            slopes = iter(torch.autograd.grad(dense, leaves, create_graph=True))
            grad_x, grad_y = (None if slope is None else next(slopes) for slope in (grad_x, grad_y))
        return None if grad_x is None else grad * grad_x, None if grad_y is None else grad * grad_y, None, None


def _total(request: Request, swept: Swept) -> Tensor:
    total = swept.sums.dot(request.coefs)
    closed = request.closed
    return (total if closed is None else total + closed.self_energy).to(request.x.dtype)


def is_plain(x: Tensor) -> bool:
    """Whether ``x`` is backed by memory (not fake, meta or another subclass) and no dispatch mode is active."""
    plain = type(x) in (Tensor, torch.nn.Parameter) and x.device.type != "meta"
    return plain and not torch._C._len_torch_dispatch_stack()


def _needs_grad(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.requires_grad and torch.is_grad_enabled()


def is_transformed() -> bool:
    """Whether a dual level or a ``torch.func`` transform is active: a fused sweep would drop its tangents."""
    return forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()


# ---- the custom operator, for torch.compile


@torch.library.custom_op("interpreg::sweep", mutates_args=())
def _operator(
    x: Tensor,  # [n, d]
    y: Tensor | None,  # [m, d]
    u: Tensor | None,  # [n]
    v: Tensor | None,  # [m]
    coefs: Tensor,  # [4] float64
    kind: str,
    numbers: Sequence[float],  # of the kernel's Spec
    blocks: Sequence[bool],  # [3]: xx, yy, xy
    prior: Sequence[float],  # [2]: mean, std; or empty
    backend: str,
    want_x: bool,
    want_y: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    request = Request(
        x, y, u, v, coefs, from_spec(Spec(kind, tuple(numbers))), (blocks[0], blocks[1], blocks[2]),
        Normal(*prior) if prior else None,
    )  # fmt: skip
    swept = FUSED[choose(request, backend)].sweep(request, want_x, want_y)
    none = x.new_empty(0)
    return (
        _total(request, swept),
        none if swept.grad_x is None else swept.grad_x,
        none.clone() if swept.grad_y is None else swept.grad_y,
    )


@_operator.register_fake
def _(x: Tensor, y: Tensor | None, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    want_x, want_y = rest[-2:]
    grad_y = torch.empty_like(y) if want_y and y is not None else x.new_empty(0)
    return x.new_empty(()), torch.empty_like(x) if want_x else x.new_empty(0), grad_y


def _operator_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[1:])
    ctx.needs_grads = inputs[-2:]
    ctx.count = len(inputs)


def _operator_backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    pairs = zip(ctx.saved_tensors, ctx.needs_grads, strict=True)
    slopes = [grad * slope if needed else None for slope, needed in pairs]
    return (*slopes, *(None,) * (ctx.count - 2))


_operator.register_autograd(_operator_backward, setup_context=_operator_context)


def _compiled(request: Request, backend: str) -> Tensor:
    spec, prior = request.kernel.spec(), request.prior
    # a user's kernel has no spec; it is traced
    if spec is None:
        return reference.value(request)
    x, y, u, v, coefs, _, blocks, _ = request
    return _operator(  # type: ignore[no-any-return]
        x, y, u, v, coefs, spec.kind, spec.numbers, blocks, (prior.mean, prior.std) if prior else (), backend,
        _needs_grad(x), _needs_grad(y),
    )[0]  # fmt: skip
