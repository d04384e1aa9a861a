"""How often a network is called, and with which random numbers."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

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
