"""How often a network is called, and with which random numbers."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


def calls(module: nn.Module) -> list[int]:
    """A list that grows by one whenever the module is called."""
    made: list[int] = []
    module.register_forward_hook(lambda *_: made.append(1))
    return made


def seeded(call: Callable[..., T], *arguments: object, seed: int = 3, **options: object) -> T:
    """What is drawn with a seed."""
    torch.manual_seed(seed)
    return call(*arguments, **options)


def trained(reg: nn.Module, x: Tensor, steps: int) -> Tensor:
    """The codes after steps of Adam on one term alone."""
    optimizer = torch.optim.Adam(reg.encoder.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        optimizer.step()
    return reg.encoder(x)
