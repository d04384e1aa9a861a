"""A diagnosis leaves everything as it was, bit for bit."""

import copy
import random
import warnings

import numpy as np
import pytest
import torch
from everyone import REGULARIZERS
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from zoo import PAIRS, vector_pair

from interpreg import ACAIRegularizer, Interpolator, MMDPrior, Ramp, Reconstruction, Sum, diagnose
from interpreg.kernels import RBF


def state(reg: nn.Module) -> dict[str, Tensor]:
    modules = nn.ModuleDict({"encoder": reg.encoder, "decoder": reg.decoder, "reg": reg})
    return copy.deepcopy(modules.state_dict()) | {"rng": torch.get_rng_state()}


@pytest.mark.parametrize("pair", ["batch norm", "rank 3"])
@pytest.mark.parametrize("name", REGULARIZERS)
def test_training_goes_on_as_if_there_had_been_no_diagnosis(name: str, pair: str) -> None:
    history = []
    for diagnosed in (False, True):
        torch.manual_seed(1)
        encoder, decoder, x = PAIRS[pair]()
        reg = REGULARIZERS[name](encoder, decoder)
        sum(reg(x).values()).backward()
        before, unweighted = state(reg), reg.unweighted
        gradients = [
            None if p.grad is None else p.grad.clone() for p in (*encoder.parameters(), *reg.parameters())
        ]
        if diagnosed:
            diagnose(reg, x)
            assert reg.unweighted is unweighted
            after = state(reg)
            assert after.keys() == before.keys()
            assert all(torch.equal(after[key], value) for key, value in before.items())
            for p, gradient in zip((*encoder.parameters(), *reg.parameters()), gradients, strict=True):
                assert (p.grad is None) == (gradient is None)
                assert gradient is None or torch.equal(p.grad, gradient)
        history.append([{k: v.item() for k, v in reg(x).items()} for _ in range(3)])
    assert history[0] == history[1]


def test_generators_counts_and_turns(encoder, decoder, x) -> None:
    generator = torch.Generator().manual_seed(3)
    reg = Sum(
        [
            ACAIRegularizer(
                encoder, decoder, weight=Ramp(1.0, start=2), interpolator=Interpolator(generator=generator)
            )
        ],
        autoencoder_every=3,
    )
    reg(x)
    before, calls = generator.get_state(), dict(reg._call_checks.looks.calls)
    diagnosis = diagnose(reg, x)
    assert diagnosis.kinds == ()
    assert diagnosis.terms[0].encoder > 0  # whatever the turn
    assert torch.equal(generator.get_state(), before)
    assert (reg.step, reg._call_checks.looks.calls) == (1, calls)
    assert not any(loss.requires_grad for name, loss in reg(x).items() if not name.startswith("critic/"))


def test_warnings_are_neither_given_nor_used_up(encoder, decoder, x) -> None:
    reg = MMDPrior(encoder, decoder, kernel=RBF(0.000123))
    for _ in range(3):
        assert diagnose(reg, 255 * x).kinds
    with pytest.warns(UserWarning, match="every bandwidth"):
        reg(x)


def test_hooks_and_errors(encoder, decoder, x) -> None:
    def broken(x_hat: Tensor, x: Tensor) -> Tensor:
        raise ArithmeticError

    encoder.insert(1, nn.BatchNorm1d(64))
    reg = Reconstruction(encoder, decoder, loss=broken)
    before = state(reg)
    with pytest.raises(ArithmeticError):
        diagnose(reg, x)
    assert all(torch.equal(value, before[key]) for key, value in state(reg).items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in (*encoder.modules(), *decoder.modules(), reg))


def test_distributed_networks_go_on(process_group: None) -> None:
    encoder, decoder, x = vector_pair()
    reg = ACAIRegularizer(
        *(DistributedDataParallel(network) for network in (encoder, decoder)),
        critic=DistributedDataParallel(nn.Sequential(nn.Flatten(), nn.Linear(64, 1))),
    )
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert diagnose(reg, x).kinds == ()
        sum(reg(x).values()).backward()
    assert all(p.grad is not None for p in encoder.parameters())


class Remembering(nn.Module):
    """A layer that counts, logs and averages in attributes of its own, and fails at a call."""

    def __init__(self, at: int = 99) -> None:
        super().__init__()
        self.log, self.counts, self.average, self.at = [], {"calls": 0}, torch.zeros(3), at

    def forward(self, x: Tensor) -> Tensor:
        self.log.append(len(x))
        self.counts["calls"] += 1
        self.average += random.random() + np.random.rand()
        if len(self.log) == self.at:
            raise KeyboardInterrupt
        return x


@pytest.mark.fault(
    "Evaluation", "A diagnosis moves a network's own counters, lists and averages, or other random numbers.",
    now="they are as before, also where it is interrupted",
)  # fmt: skip
@pytest.mark.parametrize("at", [99, 3])
def test_attributes_and_random_numbers_of_others(encoder, decoder, x, at: int) -> None:
    generator = torch.Generator().manual_seed(1)
    layer = Remembering(at)
    decoder.insert(1, layer)

    def noisy(x: torch.Tensor) -> torch.Tensor:
        z = encoder(x)
        return z + torch.randn(z.shape, generator=generator)

    reg = ACAIRegularizer(noisy, decoder, critic=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))
    reg(x)
    before = copy.deepcopy((layer.log, layer.counts, layer.average, random.getstate(), generator.get_state()))
    numbers, log = np.random.get_state()[1].tolist(), layer.log
    if at == 3:
        with pytest.raises(KeyboardInterrupt):
            diagnose(reg, x)
    else:
        assert diagnose(reg, x).kinds == ()
    assert layer.log is log
    assert (layer.log, layer.counts, random.getstate()) == (before[0], before[1], before[3])
    assert torch.equal(layer.average, before[2])
    assert torch.equal(generator.get_state(), before[4])
    assert np.random.get_state()[1].tolist() == numbers


def test_a_compiled_regularizer_is_diagnosed(encoder, decoder, x) -> None:
    assert diagnose(torch.compile(Reconstruction(encoder, decoder), backend="eager"), x).kinds == ()
