"""The warning of a critic that nobody updates: given in every loop that forgets it, in no other."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

from interpreg import ACAIRegularizer, AMRRegularizer, Critic, Ramp, Regularizer

CALLED_OUT = "the critic has had losses in .* training calls and is not updated"


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), nn.Linear(3, 6)


def loop(
    reg: Regularizer,
    optimizer: torch.optim.Optimizer,
    clear: Callable[[], object],
    calls: int = 250,
    every: int = 1,
    after: Callable[[], object] = lambda: None,
    dtype: torch.dtype = torch.float32,
) -> None:
    x = torch.randn(5, 6, dtype=dtype)
    for call in range(calls):
        losses = reg(x)
        if every == 1:
            clear()
        sum(losses.values()).backward()
        if call % every == every - 1:
            optimizer.step()
            after()
            if every > 1:
                clear()


def own(*networks: nn.Module) -> list[nn.Parameter]:
    return [p for network in networks for p in network.parameters()]


@pytest.mark.fault("Critics", "No optimizer holds the critic.", now="a warning after about a hundred steps")
@pytest.mark.parametrize("how", ["optimizer's", "none", "zeros"])
def test_a_forgotten_critic_is_called_out_once(pair, how: str) -> None:
    reg = Critic(*pair)
    optimizer = torch.optim.Adam(own(*pair))
    everything = nn.ModuleList([*pair, reg])
    clear = {
        "optimizer's": optimizer.zero_grad,
        "none": everything.zero_grad,
        "zeros": lambda: everything.zero_grad(set_to_none=False),
    }[how]
    with pytest.warns(UserWarning, match=f"{CALLED_OUT}.*: add .*reg.parameters") as caught:
        loop(reg, optimizer, clear)
    assert [warning.filename for warning in caught] == [__file__]
    loop(reg, optimizer, clear)  # once is enough


def test_a_critic_with_an_optimizer_that_takes_no_step_is_called_out(pair) -> None:
    reg = Critic(*pair)
    optimizer, other = torch.optim.Adam(own(*pair)), torch.optim.Adam(reg.parameters())
    with pytest.warns(UserWarning, match=f"{CALLED_OUT}.*: an optimizer holds it: call that optimizer's step"):
        loop(reg, optimizer, optimizer.zero_grad)
    del other


def test_a_forgotten_critic_is_called_out_under_accumulation_and_without_an_optimizer(pair) -> None:
    reg, optimizer = Critic(*pair), torch.optim.SGD(own(*pair), lr=0.1)
    with pytest.warns(UserWarning, match=CALLED_OUT):
        loop(reg, optimizer, optimizer.zero_grad, every=128, calls=300)
    reg = Critic(*pair)

    def by_hand() -> None:
        for _ in range(120):
            sum(reg(torch.randn(5, 6)).values()).backward()
            for p in own(*pair):
                p.data -= 0.01 * p.grad
                p.grad = None

    with pytest.warns(UserWarning, match=CALLED_OUT):
        by_hand()


def test_a_forgotten_critic_beside_opaque_functions_is_called_out(pair) -> None:
    """Where the autoencoder's parameters cannot be found, the optimizers are asked."""
    hidden = [pair]
    reg = Critic(lambda x: hidden[0][0](x), lambda z: hidden[0][1](z), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(own(*pair))
    with pytest.warns(UserWarning, match=CALLED_OUT):
        loop(reg, optimizer, optimizer.zero_grad)


@pytest.mark.fault(
    "Critics",
    "The warning of a critic that is not updated comes although it is: before its ramp, under accumulation, in a "
    "warm-up, at skipped steps.",
    now="silence",
)
@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}])
@pytest.mark.parametrize("every", [1, 8, 128])
def test_accumulated_gradients_are_no_reason(pair, every: int, options: dict[str, bool]) -> None:
    reg = Critic(*pair)
    optimizer = torch.optim.Adam(own(*pair, reg), **options)
    loop(reg, optimizer, lambda: optimizer.zero_grad(set_to_none=False), every=every, calls=400)


@pytest.mark.fault(
    "Critics",
    "Before the critic's start its gradients are zeros: Adam's moments decay, AdamW shrinks it, and it is computed.",
    now="no gradients (`None`), no optimizer state, no call",
)
def test_a_critic_that_has_not_begun_is_not_called_out_nor_given_gradients(pair) -> None:
    reg = ACAIRegularizer(*pair)
    reg.game.weight = reg.game.critic_weight = Ramp(0.5, start=1000)
    optimizer = torch.optim.AdamW(own(*pair, reg), weight_decay=0.1)
    called, before = [], [p.detach().clone() for p in reg.parameters()]
    reg.critic.register_forward_hook(lambda *_: called.append(1))
    loop(reg, optimizer, optimizer.zero_grad)
    assert not called
    assert all(p.grad is None for p in reg.parameters())
    assert not any(p in optimizer.state for p in reg.parameters())
    assert all(torch.equal(p, q) for p, q in zip(reg.parameters(), before, strict=True))


@pytest.mark.parametrize("apart", [False, True])
def test_a_warm_up_from_zero_is_no_reason(pair, apart: bool) -> None:
    """Of both players, and of the critic alone."""
    reg = Critic(*pair)
    optimizer = torch.optim.SGD([{"params": own(*pair)}, {"params": own(reg)}], lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, [lambda t: apart or t / 300 * (t > 290), lambda t: t > 290]
    )
    loop(reg, optimizer, optimizer.zero_grad, calls=300, after=schedule.step)


def test_skipped_steps_and_slower_schedules_are_no_reason(pair) -> None:
    reg = Critic(*pair)
    optimizer = torch.optim.Adam(own(*pair, reg))
    scaler = torch.amp.GradScaler("cpu", init_scale=3e38, backoff_factor=0.9999)  # finite after thousands of steps
    for _ in range(250):
        optimizer.zero_grad()
        scaler.scale(sum(reg(100 * torch.randn(5, 6)).values())).backward()
        scaler.step(optimizer)
        scaler.update()
    amr = AMRRegularizer(*pair, critic=nn.Linear(6, 1), preset="published")
    optimizer = torch.optim.Adam(own(*pair, amr))
    loop(amr, optimizer, optimizer.zero_grad)


def test_a_weight_of_zero_is_no_reason(pair) -> None:
    """A number, and a tensor that a schedule of the loop's own fills."""
    for weight in (0.0, torch.zeros(())):
        reg = Critic(*pair, critic_weight=weight)
        optimizer = torch.optim.Adam(own(*pair, reg))
        loop(reg, optimizer, optimizer.zero_grad)


def test_small_steps_in_low_precision_are_seen(pair) -> None:
    """The sum of a thousand numbers near 1 in bfloat16 hides a change of the last digit of one of them."""
    pair = tuple(network.bfloat16() for network in pair)
    network = nn.Linear(6, 1, bias=False).bfloat16()
    reg = Critic(*pair, network)
    optimizer = torch.optim.SGD(own(*pair), lr=0.1)

    def nudge() -> None:
        network.weight.data[0, 0] = torch.nextafter(network.weight.data[0, 0], torch.tensor(9.0).bfloat16())

    loop(reg, optimizer, optimizer.zero_grad, after=nudge, dtype=torch.bfloat16)


def test_calls_without_a_backward_accuse_nobody(pair) -> None:
    reg, x = Critic(*pair), torch.randn(5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(250):
            reg(x)


def test_losses_of_the_critic_that_are_left_out_are_called_out(pair) -> None:
    reg, x = Critic(*pair), torch.randn(5, 6)
    optimizer = torch.optim.Adam(own(*pair, reg))

    def train() -> None:
        for _ in range(120):
            optimizer.zero_grad()
            reg.split(reg(x)).autoencoder.backward()
            optimizer.step()

    with pytest.warns(UserWarning, match=CALLED_OUT):
        train()


@pytest.mark.fault(
    "Critics", "A loop trains the players in turn and switches `requires_grad` off for the other.",
    now="silence, and both train; the check of stale critics raised, or called the critic stale",
)  # fmt: skip
@pytest.mark.parametrize("turns", ["ac", "ca", "aac", "ccca"])
def test_players_that_are_switched_off_in_turn_are_no_reason(pair, turns: str) -> None:
    reg, x = Critic(*pair), torch.randn(5, 6)
    players = {"a": own(*pair), "c": own(reg)}
    optimizers = {who: torch.optim.SGD(players[who], lr=0.1) for who in players}
    before = reg.network[0].weight.clone()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for who in turns * 60:
            for other, parameters in players.items():
                for p in parameters:
                    p.requires_grad_(who == other)
            optimizers[who].zero_grad()
            sum(reg(x).values()).backward()
            optimizers[who].step()
    assert not torch.equal(reg.network[0].weight, before)


def test_a_critic_that_is_frozen_on_purpose_is_no_reason(pair) -> None:
    reg = Critic(*pair)
    reg.requires_grad_(False)
    optimizer = torch.optim.SGD(own(*pair), lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop(reg, optimizer, optimizer.zero_grad)
