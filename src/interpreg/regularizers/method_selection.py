"""Select the method by which a decoder is differentiated, on a few codes and without side effects."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import get_device_states, set_device_states

from interpreg._networks import is_sharded, submodules_of
from interpreg._numerics import as_wide, wide_dtype
from interpreg._types import Network
from interpreg.batch import call
from interpreg.functional.derivative import METHODS, derivative, finite, replaced

SAMPLES = 4  # batch statistics need two at least
TOLERANCE = 0.1  # relative: for a branch whose part is missing, not for rounding
_QUANTIZED = (
    "as where codes are rounded or quantized; give method='forward' or 'double-backward' for the derivative of their "
    "straight-through gradient"
)
LONG = 0.3  # relative: for the kinks that the usual step crosses, not for jumps
SHORT = 6e-9  # a step in float64 that hardly ever crosses the kink of a rectifier


class Selection(NamedTuple):
    """The method selected."""

    method: str
    why: str
    """What is wrong with the methods before it."""


def select_method(decoder: Network, z: Tensor, direction: Tensor, mask: Tensor | None) -> Selection:
    """The first method that runs, whose backward runs, and that agrees with finite differences.

    Derivatives are compared, and where the decoder runs in float64 their gradients too. There are no side effects: the
    state of random numbers is restored, parameters and buffers are copies, and a decoder in DistributedDataParallel is
    called without that wrapper. A decoder that is sharded over processes is not tried.

    Raises:
        RuntimeError: no method works for this decoder.
    """
    if is_sharded(decoder):
        return Selection("finite", "its parameters are sharded over processes")
    wrappers = [m for m in submodules_of(decoder) if isinstance(m, DistributedDataParallel)]
    if any(m.find_unused_parameters or m.static_graph for m in wrappers):
        return Selection("finite", "find_unused_parameters and static_graph have no forward mode")
    devices, _ = get_device_states(z)
    with (
        torch.random.fork_rng(devices, device_type=z.device.type),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        # a clone, because tensors of inference mode cannot be saved for a backward
        rows = None if mask is None else mask[:SAMPLES].clone()
        trial = _Trial(decoder, z[:SAMPLES], direction[:SAMPLES], rows)
        try:
            reference = trial.reference()
        except Exception as error:
            raise RuntimeError(
                "decoder: expected one whose interpolants can be differentiated, but not even finite differences work "
                f"({_account(error)}); if it draws random numbers from a generator of its own, or uses labels of the "
                f"batch, of which it is tried on {len(z[:SAMPLES])} samples, give method='forward'"
            ) from error
        faults: list[str] = []
        for method in METHODS:
            fault = trial.fault(method, reference)
            if not fault:
                return Selection(method, "; ".join(faults))
            faults.append(f"{method!r} {fault}")
    raise RuntimeError(f"decoder: expected one whose interpolants can be differentiated, but {'; '.join(faults)}")


class _Decoded(NamedTuple):
    """Decoded codes, their derivative, and the gradients of one of its linear functions."""

    x: Tensor
    dx: Tensor
    gradients: tuple[Tensor, ...]


class _Reference(NamedTuple):
    """Finite differences, and how they were made."""

    decoded: _Decoded
    dtype: torch.dtype
    step: float

    def disagrees(self, other: _Decoded) -> str:
        """What is not the same up to rounding, if anything; a NaN is not.

        Gradients of finite differences are compared only where their step is short: at the kinks that a longer one
        crosses they are wrong.
        """
        rounding = 10 * torch.finfo(self.dtype).eps / self.step * float(self.decoded.x.double().norm())
        if not self._close(self.decoded.dx, other.dx, rounding):
            return "disagrees with finite differences, as where an operation drops its tangent"
        if self.step > 2 * SHORT:
            return ""
        rounding = 1e-3 * sum(float(each.norm()) for each in self.decoded.gradients)
        if all(map(partial(self._close, rounding=rounding), self.decoded.gradients, other.gradients)):
            return ""
        return "has another gradient than finite differences, as where an operation has a wrong second derivative"

    def jumps(self, usual: _Decoded) -> str:
        """What is wrong with differences at the usual step, if anything."""
        rounding = 1e-3 * float(self.decoded.x.double().norm())
        if self._close(self.decoded.dx, usual.dx, rounding, LONG):
            return ""
        return f"has another value at its usual step than at a short one, {_QUANTIZED}"

    def _close(self, one: Tensor, other: Tensor, rounding: float, tolerance: float = TOLERANCE) -> bool:
        one, other = one.double(), other.double()
        tolerance += 20 * torch.finfo(self.dtype).eps
        return bool((one - other).norm() <= tolerance * torch.maximum(one.norm(), other.norm()) + rounding)


class _Trial:
    """A decoder and a few codes."""

    def __init__(self, network: Network, z: Tensor, direction: Tensor, mask: Tensor | None) -> None:
        if not direction.any():  # collapsed codes, by which methods are not told apart
            z, direction = z + torch.randn_like(z), torch.randn_like(z)
        self.network, self.z, self.direction, self.mask = network, z, direction, mask
        self.seed, self.device_seeds = torch.get_rng_state(), get_device_states(z)
        self.has_slope = False  # by a method that is not finite

    def reference(self) -> _Reference:
        """Finite differences that a step twice as long confirms: in float64, else in fp32, else in the codes' dtype."""
        # in its own dtype first, for what it keeps somewhere of its first call
        with torch.no_grad(), self._copied(None):
            call(self.network, self.z, self.mask)
        fault = RuntimeError("two lengths of step do not agree")
        usual = [(dtype, torch.finfo(dtype).eps ** (1 / 3)) for dtype in (wide_dtype(self.z), self.z.dtype)]
        for dtype, step in dict.fromkeys([(torch.float64, SHORT), *usual]):
            try:
                reference = _Reference(self.run("finite", dtype, step), dtype, step)
                if not reference.disagrees(self.run("finite", dtype, 2 * step)):
                    return reference
            except Exception as error:
                fault = error if isinstance(error, RuntimeError) else RuntimeError(_account(error))
        raise fault

    def fault(self, method: str, reference: _Reference) -> str:
        """What is wrong with a method, if anything."""
        try:
            if method == "finite":
                if self.has_slope and not reference.decoded.dx.any():
                    return f"is 0, {_QUANTIZED}"
                return reference.jumps(self.run(method))
            self.run(method, reference.dtype, strict=True)
            self.run(method)  # and without that mode, in which a compiled decoder is not
            decoded = self.run(method, reference.dtype)
            self.has_slope |= bool(decoded.dx.any())
            return reference.disagrees(decoded)
        except Exception as error:  # another method may work
            return f"fails, {_account(error)}"

    def run(
        self, method: str, dtype: torch.dtype | None = None, step: float | None = None, *, strict: bool = False
    ) -> _Decoded:
        """One method, and its backward: in a dtype and without autocast, or as the decoder will be run."""
        torch.set_rng_state(self.seed)
        set_device_states(*self.device_seeds, device_type=self.z.device.type)
        z, direction = (_copy(each, dtype).requires_grad_() for each in (self.z, self.direction))
        decode = partial(call, self.network, mask=self.mask)
        autocast = dtype is None and torch.is_autocast_enabled(z.device.type)
        with self._copied(dtype) as state, torch.autocast(z.device.type, enabled=autocast):
            if method == "finite":
                x, dx = finite(decode, z, direction, self.network, step=step)
            else:
                x, dx = derivative(decode, z, direction, method, self.network, strict=strict)
            weights = torch.arange(dx.numel(), device=dx.device, dtype=as_wide(dx).dtype).cos().reshape(dx.shape)
            trained = [z, direction, *(t for t in state if t.requires_grad)]
            gradients = torch.autograd.grad(
                (as_wide(dx) * weights).sum(), trained, allow_unused=True, materialize_grads=True
            )
        return _Decoded(x.detach(), dx.detach(), gradients)

    @contextmanager
    def _copied(self, dtype: torch.dtype | None) -> Iterator[list[Tensor]]:
        """A context with copies of the parameters and buffers."""
        modules = submodules_of(self.network)
        state = {
            id(t): _copy(t, dtype).requires_grad_(t.requires_grad)
            for m in modules for t in (*m.parameters(recurse=False), *m.buffers(recurse=False))
        }  # fmt: skip
        with replaced(self.network, state):
            for m in modules:
                if isinstance(m, DistributedDataParallel):  # whose passes all end in a backward
                    vars(m)["forward"] = m.module
            yield list(state.values())


def _copy(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    copy = value.detach().clone()
    return copy if dtype is None or not copy.is_floating_point() else copy.to(dtype)


def _account(error: Exception) -> str:
    """The first line of an error."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:200]}"


def check_repeats(decoder: Network, z: Tensor, mask: Tensor | None) -> None:
    """Refuse a decoder whose calls differ although torch's random numbers are the same, without side effects.

    Raises:
        RuntimeError: its finite differences would be those of its random numbers.
    """
    if is_sharded(decoder):
        return
    devices, _ = get_device_states(z)
    with torch.random.fork_rng(devices, device_type=z.device.type), torch.inference_mode(False), torch.no_grad():
        rows = None if mask is None else mask[:SAMPLES].clone()
        trial = _Trial(decoder, z[:SAMPLES].clone(), torch.ones_like(z[:SAMPLES]), rows)
        with trial._copied(None):
            _, still = finite(partial(call, decoder, mask=rows), trial.z, torch.zeros_like(trial.z), decoder)
    if still.any():
        raise RuntimeError(
            "decoder: expected the same output for the same codes, got others, as where it draws random numbers from "
            "a generator of its own or from NumPy; give method='forward' or 'double-backward'"
        )
