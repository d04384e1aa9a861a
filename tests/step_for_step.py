"""A regularizer against its equations, written out in plain torch: the same losses, and the same gradients."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from zoo import Zoo


def is_step_for_step(pair: Zoo, reg: nn.Module, straight: Callable[[Zoo, nn.Module], dict[str, Tensor]]) -> None:
    """The same losses, and the same gradient of every parameter, each player's from its own losses."""
    twin = copy.deepcopy((pair.encoder, pair.decoder, reg.critic))
    torch.manual_seed(7)
    expected = straight(Zoo(twin[0], twin[1], pair.x), twin[2])
    torch.manual_seed(7)
    losses = reg(pair.x)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], msg=lambda text, name=name: f"{name}: {text}")
    sum(losses.values()).backward()
    own = [*twin[0].parameters(), *twin[1].parameters()]
    ours = [value for name, value in expected.items() if not name.startswith("critic/")]
    theirs = [value for name, value in expected.items() if name.startswith("critic/")]
    gradients = [
        *torch.autograd.grad(sum(ours), own, retain_graph=True),
        *torch.autograd.grad(sum(theirs), list(twin[2].parameters())),
    ]
    trained = [*pair.encoder.parameters(), *pair.decoder.parameters(), *reg.critic.parameters()]
    for parameter, gradient in zip(trained, gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=2e-5, atol=1e-6)


def agree(reg: nn.Module, x: Tensor, expected: dict[str, Tensor], parameters: list[Tensor]) -> None:
    """Every loss, and the gradient of every parameter, drawn with seed 7."""
    gradients = torch.autograd.grad(sum(expected.values()), parameters)
    torch.manual_seed(7)
    losses = reg(x)
    assert list(losses) == list(expected)
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])
    for gradient, right in zip(torch.autograd.grad(sum(losses.values()), parameters), gradients, strict=True):
        torch.testing.assert_close(gradient, right)


def straight_distance(x: Tensor, z: Tensor) -> Tensor:
    """GAIA's distance loss: the mean squared difference of logarithms of relative distances."""
    logs = []
    for values in (x.flatten(1), z.flatten(1)):
        d = (values[:, None] - values[None]).square().mean(-1)
        logs.append(torch.log(1 + d / d.mean()))
    return (logs[0] - logs[1]).square().mean()
