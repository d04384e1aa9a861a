"""States of another regularizer: the error says which line loads them, and the line does."""

import copy
import re
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from zoo import Zoo

from interpreg import (
    AAERegularizer,
    ACAIRegularizer,
    AMRRegularizer,
    Critic,
    GAIARegularizer,
    MIDRAERegularizer,
    MMDPrior,
    Ramp,
    Reconstruction,
    Regularizer,
    Sum,
    fresh_copy,
)


def line_of(error: pytest.ExceptionInfo[RuntimeError]) -> str:
    return str(error.value).partition("; ")[2]


def assert_loaded(reg: nn.Module, saved: dict[str, torch.Tensor], prefix: str = "") -> None:
    """The own values are those of the saved state under a prefix."""
    for key, value in reg.state_dict().items():
        torch.testing.assert_close(value, saved[prefix + key], rtol=0, atol=0)


RECIPES: list[Callable[..., Regularizer]] = [
    ACAIRegularizer, MIDRAERegularizer, AMRRegularizer, GAIARegularizer, Critic,
    lambda e, d: AAERegularizer(e, d, code_shape=(4,)),
]  # fmt: skip


@pytest.mark.fault(
    "Saving", "A checkpoint of one recipe is loaded into a sum that contains it, or the reverse.",
    now="the error gives the line that loads it",
)  # fmt: skip
@pytest.mark.parametrize("make", RECIPES)
def test_a_recipe_and_a_sum_around_it_load_each_other_by_the_line_that_the_error_gives(make, pair: Zoo) -> None:
    def larger() -> Sum:
        parts = [Reconstruction(pair.encoder, pair.decoder), make(pair.encoder, pair.decoder)]
        return Sum([*parts, MMDPrior(pair.encoder, pair.decoder)])

    alone, reg = make(pair.encoder, pair.decoder), larger()
    state, before = alone.state_dict(), copy.deepcopy(reg.state_dict())
    with pytest.raises(RuntimeError, match=rf"state_dict: .* got that of its part '{alone.name}'; reg") as error:
        reg.load_state_dict(state)
    assert_loaded(reg, before)
    exec(line_of(error))
    assert_loaded(reg[alone.name], state)
    state, reg = larger().state_dict(), alone
    with pytest.raises(RuntimeError, match=rf"got one that holds it under 'parts.{alone.name}.'") as error:
        reg.load_state_dict(state)
    exec(line_of(error))
    assert_loaded(reg, state, f"parts.{alone.name}.")


def test_a_critic_deep_inside_is_found(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder) + MMDPrior(pair.encoder, pair.decoder)
    state = Critic(pair.encoder, pair.decoder).state_dict()
    with pytest.raises(RuntimeError) as error:
        reg.load_state_dict(state)
    assert line_of(error) == 'reg["acai"]["critic"].load_state_dict(state)'
    exec(line_of(error))
    assert_loaded(reg["acai"]["critic"], state)


@pytest.mark.usefixtures("process_group")
def test_a_critic_that_was_wrapped_is_recognised(pair: Zoo) -> None:
    plain = ACAIRegularizer(pair.encoder, pair.decoder)
    for wrap in (DistributedDataParallel, torch.compile):
        wrapped = ACAIRegularizer(pair.encoder, pair.decoder, critic=wrap(fresh_copy(pair.encoder)))
        reg, state = plain, wrapped.state_dict()
        with pytest.raises(RuntimeError, match="got that of a critic inside a wrapper") as error:
            reg.load_state_dict(state)
        exec(line_of(error))
        torch.testing.assert_close(list(reg.parameters()), list(wrapped.parameters()), rtol=0, atol=0)
        with pytest.raises(RuntimeError, match="without its wrapper; load it before the critic is wrapped"):
            wrapped.load_state_dict(plain.state_dict())


def test_a_state_without_steps_is_explained_and_steps_that_nothing_counts_are_left_out(pair: Zoo) -> None:
    ramped = MMDPrior(pair.encoder, pair.decoder, weight=Ramp(1.0, start=5))
    plain = MMDPrior(pair.encoder, pair.decoder)
    ramped(pair.x)
    both = [nn.ModuleDict({"reg": each + ACAIRegularizer(pair.encoder, pair.decoder)}) for each in (ramped, plain)]
    both[1].load_state_dict(both[0].state_dict())  # inside a larger module too
    plain.load_state_dict(ramped.state_dict())
    assert plain.step is None
    with pytest.raises(
        RuntimeError, match=re.escape("got one without step, saved where no ramp or schedule")
    ) as error:
        ramped.load_state_dict(plain.state_dict())
    assert line_of(error).startswith("load_state_dict(state, strict=False)")
    ramped.load_state_dict(plain.state_dict(), strict=False)
    assert ramped.step == 1


def test_other_states_are_torchs_to_refuse(pair: Zoo) -> None:
    reg = ACAIRegularizer(pair.encoder, pair.decoder)
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict"):
        reg.load_state_dict(pair.encoder.state_dict())
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        reg.load_state_dict(None)
    assert reg.load_state_dict({}, strict=False).missing_keys == list(reg.state_dict())
