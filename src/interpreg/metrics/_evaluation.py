"""Networks that are measured: in eval mode, left as they were, with one tensor out."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parameter import is_lazy

from interpreg import _checks
from interpreg._fields import code_instead, output_instead
from interpreg._networks import parameters_of, submodules_of
from interpreg._types import Network
from interpreg._warnings import warn
from interpreg.metrics._codes import check_finite

STATISTICS = ("running_mean", "running_var")


class _States:
    """The modes and buffers of modules, to be restored."""

    def __init__(self) -> None:
        self.modes: dict[nn.Module, bool] = {}
        self.buffers: list[tuple[nn.Module, str, Tensor, Tensor]] = []
        self.thread = get_ident()

    def evaluate(self, module: nn.Module, *_: object) -> None:
        """Set a module, and those inside it, to eval mode, if it is called by this thread."""
        if module in self.modes or get_ident() != self.thread:
            return
        found = [each for each in module.modules() if each not in self.modes]
        # all modes before any is set, because a compiled module shows that of the one inside
        self.modes |= {each: each.training for each in found}
        for each in found:
            # the attribute alone, because an overridden train() may convert weights
            each.training = False
            buffers = ((name, b) for name, b in each.named_buffers(recurse=False) if not is_lazy(b))
            self.buffers += [(each, name, buffer, buffer.detach().clone()) for name, buffer in buffers]

    @torch.no_grad()
    def restore(self) -> None:
        moved = False
        for module, mode in self.modes.items():
            module.training = mode
        for module, name, buffer, value in self.buffers:
            if getattr(module, name) is not buffer:
                setattr(module, name, buffer)
            if not torch.equal(buffer, value):
                moved = moved or name in STATISTICS
                buffer.copy_(value)
        if moved:
            warn(
                "a network computes its batch statistics anew in eval mode, as one does that was traced in training "
                "mode: results depend on the batch; trace it after eval()"
            )


@contextmanager
def evaluating(*networks: object) -> Iterator[None]:
    """Every module that is called is in eval mode; afterwards all modes and buffers are as before.

    The modules behind callables are set at once, those that cannot be found when they are called. Compiled code runs
    eagerly, because it cannot be traced with a hook on all modules.
    """
    states = _States()
    # importing the compiler takes a second
    compiles = "torch._dynamo" in sys.modules
    hook = register_module_forward_pre_hook(states.evaluate)
    try:
        for network in networks:
            for module in submodules_of(network):
                states.evaluate(module)
        with warnings.catch_warnings(), torch.compiler.set_stance("force_eager") if compiles else nullcontext():
            warnings.filterwarnings("ignore", "Using `torch.compile.* when there are global hooks", UserWarning)
            yield
    finally:
        hook.remove()
        states.restore()


def device_of(network: object, default: torch.device) -> torch.device:
    """The device of the parameters or buffers behind a callable, ``default`` where it has none."""
    tensors = [*parameters_of(network), *(b for m in submodules_of(network) for b in m.buffers())]
    return next((tensor.device for tensor in tensors), default)


def check_output(name: str, output: object) -> None:
    """Raise unless the output of a network is a floating point batch; the error says what to give instead."""
    hint = ""
    if not isinstance(output, Tensor):
        hint = code_instead(output) if name == "encoder" else output_instead(output, name)
    _checks.check_tensor(name, output, hint)


def output_of(name: str, network: Network, values: Tensor) -> Tensor:
    """The output of a network; an error unless it is floating point, finite, and of as many rows as ``values``."""
    output = network(values)
    check_output(name, output)
    check_finite(name, output)
    _checks.check_batch_size(name, output, len(values))
    return output
