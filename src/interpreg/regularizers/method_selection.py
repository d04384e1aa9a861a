"""Select the method by which a decoder is differentiated, on a few codes and without side effects."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import get_device_states, set_device_states

from interpreg._numerics import wide_dtype
from interpreg._types import Network
from interpreg.batch import call
from interpreg.functional.derivative import METHODS, finite, path_derivative, with_state

SAMPLES = 4  # batch statistics need two at least
TOLERANCE = 0.1  # of the derivative's norm: for a branch whose part is missing, not for rounding


class Selection(NamedTuple):
    """The method selected."""

    method: str
    why: str
    """What is wrong with the methods before it."""


class _Decoded(NamedTuple):
    x: Tensor
    dx: Tensor


def select_method(decoder: Network, z: Tensor, direction: Tensor, mask: Tensor | None) -> Selection:
    """The first method that runs, whose backward runs, and that agrees with finite differences.

    There are no side effects: the state of random numbers is restored, parameters and buffers are copies, and a decoder
    in DistributedDataParallel is called without its wrapper. A decoder that is sharded over processes is not tried.

    Raises:
        RuntimeError: no method works for this decoder.
    """
    network = decoder.module if isinstance(decoder, DistributedDataParallel) else decoder
    if isinstance(network, nn.Module) and any(type(p).__name__ == "DTensor" for p in network.parameters()):
        return Selection("finite", "its parameters are sharded over processes")
    devices, _ = get_device_states(z)
    with torch.random.fork_rng(devices, device_type=z.device.type), torch.enable_grad():
        trial = _Trial(network, z[:SAMPLES], direction[:SAMPLES], None if mask is None else mask[:SAMPLES])
        try:
            reference = trial.reference()
        except Exception as error:
            raise RuntimeError(
                "decoder: expected one whose interpolants can be differentiated, but not even finite differences work "
                f"({_account(error)}); if it draws random numbers from a generator of its own, or uses labels of the "
                f"batch, of which it is tried on {len(z[:SAMPLES])} samples, give method="
            ) from error
        faults = []
        for method in METHODS:
            try:
                trial.run(method)
                dx = trial.run(method, reference.dtype).dx if method != "finite" else reference.dx
            except Exception as error:  # another method may work
                faults.append(f"{method!r} fails, {_account(error)}")
                continue
            if reference.agrees_with(dx):
                return Selection(method, "; ".join(faults))
            faults.append(f"{method!r} disagrees with finite differences, as where an operation drops its tangent")
    raise RuntimeError(f"decoder: expected one whose interpolants can be differentiated, but {'; '.join(faults)}")


class _Reference(NamedTuple):
    """Finite differences, in which dtype, and how much of them may be rounding."""

    dx: Tensor
    dtype: torch.dtype
    noise: float

    def agrees_with(self, dx: Tensor) -> bool:
        """Whether a derivative is the same up to rounding; a NaN is not."""
        one, other = dx.double(), self.dx.double()
        tolerance = TOLERANCE + 20 * torch.finfo(self.dtype).eps
        allowed = tolerance * torch.maximum(one.norm(), other.norm()) + self.noise
        return bool((one - other).norm() <= allowed)


class _Trial:
    """A decoder and a few codes."""

    def __init__(self, network: Network, z: Tensor, direction: Tensor, mask: Tensor | None) -> None:
        self.network, self.z, self.direction, self.mask = network, z, direction, mask
        self.seed, self.device_seeds = torch.get_rng_state(), get_device_states(z)

    def reference(self) -> _Reference:
        """Finite differences that a step twice as long confirms; in fp32 where the decoder can."""
        wide = wide_dtype(self.z)
        fault = RuntimeError("two lengths of step do not agree")
        for dtype in dict.fromkeys((wide, self.z.dtype)):
            try:
                once, again = self.run("finite", dtype), self.run("finite", dtype, coarser=2.0)
            except Exception as error:
                fault = error if isinstance(error, RuntimeError) else RuntimeError(_account(error))
                continue
            noise = 10 * torch.finfo(dtype).eps ** (2 / 3) * float(once.x.double().norm())
            reference = _Reference(once.dx, dtype, noise)
            if reference.agrees_with(again.dx):
                return reference
        raise fault

    def run(self, method: str, dtype: torch.dtype | None = None, coarser: float = 1.0) -> _Decoded:
        """One method, and its backward: in a dtype and without autocast, or as the decoder will be run."""
        torch.set_rng_state(self.seed)
        set_device_states(*self.device_seeds, device_type=self.z.device.type)
        z, direction = (_copy(each, dtype).requires_grad_() for each in (self.z, self.direction))
        run, trained = self._copied(dtype)
        autocast = dtype is None and torch.is_autocast_enabled(z.device.type)
        with torch.autocast(z.device.type, enabled=autocast):
            if method == "finite":
                x, dx = finite(run, z, direction, coarser=coarser)
            else:
                x, dx = path_derivative(run, z, direction, method=method)
        torch.autograd.grad(dx.float().square().mean(), [z, direction, *trained], allow_unused=True)
        return _Decoded(x.detach(), dx.detach())

    def _copied(self, dtype: torch.dtype | None) -> tuple[Network, list[Tensor]]:
        """The decoder with copies of its parameters, and at each call with new copies of its buffers."""
        network = self.network
        if not isinstance(network, nn.Module):
            return partial(call, network, mask=self.mask), []
        parameters = {
            name: _copy(p, dtype).requires_grad_(p.requires_grad) for name, p in network.named_parameters()
        }

        def run(z: Tensor) -> Tensor:
            buffers = {name: _copy(b, dtype) for name, b in network.named_buffers()}
            return with_state(partial(call, network, mask=self.mask), network, parameters | buffers)(z)

        return run, [p for p in parameters.values() if p.requires_grad]


def _copy(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    copy = value.detach().clone()
    return copy if dtype is None or not copy.is_floating_point() else copy.to(dtype)


def _account(error: Exception) -> str:
    """The first line of an error."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:200]}"
