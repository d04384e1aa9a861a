"""What the loop trains beside the regularizer is no reason for an error or a warning."""

import torch
from torch import Tensor, nn

from interpreg import Adversary, Critic, Term


class Headed(nn.Module):
    """With a head that only the loop uses."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.head = nn.Linear(6, 1), nn.Linear(6, 9)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x)


def test_a_head_that_the_loop_trains_is_not_said_to_be_without_use() -> None:
    for is_stepped in (True, False):
        encoder, decoder, network, x = nn.Linear(6, 3), nn.Linear(3, 6), Headed(), torch.randn(5, 6)
        reg = Critic(encoder, decoder, network)
        optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], 0.01)
        for _ in range(20):
            (sum(reg(x).values()) + network.head(x).square().mean()).backward()
            if is_stepped:
                optimizer.step()
                optimizer.zero_grad()


class Penalised(Adversary):
    """A gradient penalty on the batch itself, as in the code of StyleGAN2."""

    name = "penalised"

    def terms(self, batch):
        return {
            "fake": Term(lambda: self.call_frozen(batch.x_hat + 0 * batch.x).square().mean(), self.weight),
            "critic/penalty": Term(lambda: self.penalty(batch.x.requires_grad_()), self.critic_weight),
        }

    def penalty(self, x: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(self.network(x).sum(), x, create_graph=True)
        return gradient.square().sum(1).mean()


def test_the_batch_may_have_a_gradient() -> None:
    network, x = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(5, 6)
    reg = Penalised(nn.Linear(6, 3), nn.Linear(3, 6), network, weight=1.0)
    for _ in range(2):
        sum(reg(x).values()).backward()
    assert network[0].weight.grad is not None
