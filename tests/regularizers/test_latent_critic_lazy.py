"""A latent critic whose network has no shapes yet: it trains, and is saved and copied, as one that has."""

import copy
import io

import pytest
import torch
from torch import Tensor, nn

from interpreg import LatentCritic
from interpreg.regularizers.latent_network import is_lazy

OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adam foreach": lambda p: torch.optim.Adam(p, lr=0.1, foreach=True),
    "adamw fused": lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd fused": lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.1),
}


def train(reg: LatentCritic, optimizer: torch.optim.Optimizer, x: Tensor, steps: int = 3) -> list[Tensor]:
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        optimizer.step()
    return [p.detach().clone() for p in reg.network.parameters()]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_made_before_the_first_batch_is_as_good_as_one_made_after(
    encoder, decoder, x, name: str
) -> None:
    reg = LatentCritic(encoder, decoder)
    parameters = list(reg.parameters())
    optimizer = OPTIMIZERS[name](parameters)
    reg.check_optimizers(optimizer)
    with torch.no_grad():
        reg(x)
    assert all(p is q for p, q in zip(reg.parameters(), parameters, strict=True))
    twin = LatentCritic(encoder, decoder, code_shape=(4,))
    twin.load_state_dict(reg.state_dict())
    start = [p.detach().clone() for p in parameters]
    early = train(reg, optimizer, x)
    late = train(twin, OPTIMIZERS[name](twin.parameters()), x)
    for actual, expected, before in zip(early, late, start, strict=True):
        assert not torch.equal(actual, before)
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_an_optimizer_that_wants_shapes_says_so_and_one_that_lacks_the_critic_is_told(encoder, decoder) -> None:
    reg = LatentCritic(encoder, decoder)
    with pytest.raises(ValueError, match="uninitialized parameter"):
        torch.optim.Adagrad(reg.parameters())
    with pytest.raises(ValueError, match=r"6 are in none of them"):
        reg.check_optimizers(torch.optim.SGD(encoder.parameters(), lr=0.1))


def test_the_first_batch_may_come_in_a_validation(encoder, decoder, x) -> None:
    reg = LatentCritic(encoder, decoder)
    optimizer = torch.optim.Adam(reg.parameters())
    with torch.inference_mode():
        reg.eval()(x)
    reg.train()
    assert not is_lazy(reg)
    start = [p.detach().clone() for p in reg.parameters()]
    assert not any(torch.equal(p, q) for p, q in zip(train(reg, optimizer, x), start, strict=True))


def test_states_and_copies_from_before_the_first_batch(encoder, decoder, x) -> None:
    reg = LatentCritic(encoder, decoder)
    twin, file = copy.deepcopy(reg), io.BytesIO()
    torch.save(reg.state_dict(), file)
    reg(x)
    assert is_lazy(twin)
    twin.load_state_dict(reg.state_dict())  # shapes come with a state
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(2):
        torch.manual_seed(1)
        expected = reg(x)
        torch.manual_seed(1)
        torch.testing.assert_close(twin(x), expected)
    assert twin.network.first is not reg.network.first
    train(twin, optimizer, x)
    third = copy.deepcopy(reg)  # after the first batch
    torch.manual_seed(1)
    torch.testing.assert_close(third(x), expected)


def test_it_does_not_compile_before_its_shapes_are_known(encoder, decoder, x) -> None:
    reg = LatentCritic(encoder, decoder)
    with pytest.raises(Exception, match=r"expected one whose shapes are set before it is compiled; call the reg"):
        torch.compile(reg, fullgraph=True, backend="eager")(x)
    torch.compiler.reset()
    reg(x)
    torch.manual_seed(1)
    expected = reg(x)
    torch.manual_seed(1)
    torch.testing.assert_close(torch.compile(reg, fullgraph=True, backend="eager")(x), expected)


def test_a_users_network_may_be_lazy_too(encoder, decoder, x) -> None:
    network = nn.Sequential(nn.LazyLinear(5), nn.Dropout(0.5), nn.LazyBatchNorm1d(), nn.Linear(5, 1))
    reg = LatentCritic(encoder, decoder, network)
    optimizer = torch.optim.Adam(reg.parameters())
    reg._finish(encoder(x), None)
    assert network[2].num_batches_tracked == 0  # finding shapes is no training
    assert network.training
    assert network[1].training
    assert len(train(reg, optimizer, x)) == 6
