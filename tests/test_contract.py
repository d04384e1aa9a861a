"""The contract that every regularizer keeps, on networks of every kind."""

import copy
import gc
import math
import re
import weakref

import pytest
import torch
from torch import nn
from zoo import PAIRS, Zoo, vector_pair

from interpreg import Critic, Interpolator


def test_fresh_memory_is_poisoned() -> None:
    """What the whole suite relies on to notice values that were never written."""
    assert torch.empty(1000).isnan().all()


def test_losses_are_finite_named_scalars_and_their_values_are_at_hand(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    losses = reg(zoo.x)
    assert losses
    assert all(loss.shape == () and math.isfinite(loss.detach()) for loss in losses.values())
    assert reg.unweighted.keys() == losses.keys()
    assert not any(value.requires_grad for value in reg.unweighted.values())


@pytest.mark.fault(
    "Critics",
    "The critic's loss trains the autoencoder, or the other way round (Shubhamai/pytorch-vqgan#3).",
    now="gradients are `None`, for every regularizer",
)
def test_neither_player_leaks_a_gradient_into_the_other(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    for p in reg.parameters():  # judgements of about 0 would hide a leak behind small gradients
        p.data.mul_(2)
    own = [*zoo.encoder.parameters(), *zoo.decoder.parameters()]
    for _ in range(4):  # until every ramp has begun
        losses = reg(zoo.x)
    for name, loss in losses.items():
        critics = list(reg.parameters())
        touched, others = (critics, own) if name.startswith("critic/") else (own, critics)
        gradients = torch.autograd.grad(loss, [*touched, *others], retain_graph=True, allow_unused=True)
        assert all(g is None for g in gradients[len(touched) :]), name
        assert any(g is not None for g in gradients[: len(touched)]), name


def test_nothing_of_the_users_is_owned(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    theirs = {id(t) for m in (zoo.encoder, zoo.decoder) for t in [*m.parameters(), *m.buffers()]}
    assert not theirs & {id(t) for t in [*reg.parameters(), *reg.buffers()]}
    assert not any("encoder" in key or "decoder" in key for key in reg.state_dict())
    assert not {id(zoo.encoder), id(zoo.decoder)} & {id(m) for m in reg.modules()}


@pytest.mark.fault(
    "Memory",
    "A reference cycle keeps past batches alive, with their graphs.",
    now="nothing of a step outlives it, without the cyclic collector",
)
def test_nothing_of_a_batch_outlives_its_step(make, zoo: Zoo) -> None:
    """Without help of the cyclic collector: no codes, no images, no graph."""
    reg = make(zoo.encoder, zoo.decoder)
    sum(reg(zoo.x).values()).backward()  # the first call may try methods of differentiation
    made: list[weakref.ref] = []
    for network in (reg.encoder, reg.decoder):
        network.register_forward_hook(lambda _, inputs, output: made.append(weakref.ref(output)))
    gc.disable()
    try:
        for _ in range(3):
            sum(reg(zoo.x).values()).backward()
        assert made
        assert not [ref for ref in made if ref() is not None]
    finally:
        gc.enable()


def test_codes_and_reconstructions_that_are_at_hand_change_nothing(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder.eval(), zoo.decoder.eval()).eval()
    reg.encoder.eval()  # where a bottleneck is around it
    torch.manual_seed(1)
    alone = reg(zoo.x)
    torch.manual_seed(1)
    z = reg.encoder(zoo.x)
    given = reg(zoo.x, z=z, x_hat=reg.decoder(z))
    assert alone.keys() == given.keys()
    for name, loss in alone.items():
        torch.testing.assert_close(given[name], loss)


@pytest.mark.parametrize("batch_size", [2, 3, 7])
def test_small_and_odd_batches(make, batch_size: int) -> None:
    encoder, decoder, x = vector_pair(batch_size)
    reg = make(encoder, decoder)
    ways = [m.ways for m in reg.modules() if isinstance(m, Interpolator) and m.kind == "convex"]
    if ways:
        encoder, decoder, x = vector_pair(max(batch_size, *ways))
        reg = make(encoder, decoder)
    losses = reg(x)
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.fault(
    "Numerics",
    "A loss is reduced in half precision under autocast (pytorch/pytorch#105682).",
    now="losses are fp32; gradients have the dtype of what they belong to",
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_under_autocast_are_fp32(make, dtype: torch.dtype) -> None:
    encoder, decoder, x = PAIRS["rank 4"]()
    reg = make(encoder, decoder)
    with torch.autocast("cpu", dtype):
        losses = reg(x)
    sum(losses.values()).backward()
    assert all(loss.dtype == torch.float32 and math.isfinite(loss.detach()) for loss in losses.values())
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_the_networks_may_be_double_or_half_themselves(make) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        encoder, decoder, x = PAIRS["rank 4"]()
        reg = make(encoder.to(dtype), decoder.to(dtype))
        losses = reg(x.to(dtype))
        wide = torch.promote_types(dtype, torch.float32)
        assert all(loss.dtype == wide and math.isfinite(loss.detach()) for loss in losses.values())


@pytest.mark.filterwarnings("ignore:reg.x. without gradients")  # in training mode, on purpose
def test_works_without_gradients_and_counts_only_training(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    counters = [m for m in reg.modules() if isinstance(m, Critic)]
    with torch.no_grad():
        reg(zoo.x)
    reg.eval()
    reg(zoo.x)
    assert all(m.step == 0 for m in counters)
    reg.train()
    reg(zoo.x)
    assert all(m.step == 1 for m in counters)


@pytest.mark.fault(
    "Evaluation",
    "`torch.inference_mode`, as Lightning's validation, raises or gives other numbers after a training step.",
    now="the losses of `torch.no_grad`, to rounding",
)
def test_inference_mode_is_no_grad(make) -> None:
    """In double precision, because a derivative is by finite differences there."""
    encoder, decoder, x = PAIRS["rank 2"]()
    x = x.double()
    reg = make(encoder.double(), decoder.double())
    reg = reg.double()
    sum(reg(x).values()).backward()
    for module in (reg, reg.encoder, reg.decoder):
        module.eval()
    losses = []
    for mode in (torch.no_grad, torch.inference_mode):
        torch.manual_seed(1)
        with mode():
            losses.append({name: float(loss) for name, loss in reg(x).items()})
    assert losses[1] == pytest.approx(losses[0], rel=1e-6, abs=1e-9)
    for module in (reg, reg.encoder, reg.decoder):
        module.train()
    sum(reg(x).values()).backward()  # and training goes on


def test_training_goes_on_after_saving_and_loading_as_if_nothing_had_happened(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    modules = nn.ModuleList([reg.encoder, reg.decoder, reg])
    optimizer = torch.optim.Adam(list(modules.parameters()), lr=1e-2)

    def step() -> dict[str, float]:
        losses = reg(zoo.x)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        return {name: loss.item() for name, loss in losses.items()}

    for _ in range(3):
        step()
    saved = copy.deepcopy((modules.state_dict(), optimizer.state_dict(), torch.get_rng_state()))
    expected = [step(), step()]
    modules.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    torch.set_rng_state(saved[2])
    assert [step(), step()] == expected


def test_is_deep_copied_with_its_networks(make, zoo: Zoo) -> None:
    reg = make(zoo.encoder, zoo.decoder)
    twin = copy.deepcopy(reg)
    assert twin.encoder is not reg.encoder
    assert twin(zoo.x).keys() == reg(zoo.x).keys()


def test_a_batch_of_one_is_enough_or_refused_before_anything_moves(make) -> None:
    zoo = PAIRS["batch norm"](1)
    reg = make(zoo.encoder, zoo.decoder)
    modules = nn.ModuleList([reg.encoder, reg.decoder, reg])
    before, refusal = copy.deepcopy(modules.state_dict()), None
    try:
        losses = reg(zoo.x)
    except ValueError as error:
        refusal = str(error)
    if refusal is None:
        assert all(loss.detach().isfinite() for loss in losses.values())
    else:
        assert re.match(r"x: expected (a batch of )?at least \d samples .* got", refusal)
        torch.testing.assert_close(modules.state_dict(), before, rtol=0, atol=0)
        assert not reg.unweighted
