"""A diagnosis leaves everything as it was, bit for bit."""

import copy
import warnings

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
