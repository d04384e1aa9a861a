"""How often a network is called."""

from torch import nn


def calls(module: nn.Module) -> list[int]:
    """A list that grows by one whenever the module is called."""
    made: list[int] = []
    module.register_forward_hook(lambda *_: made.append(1))
    return made
