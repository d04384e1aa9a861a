"""What a diagnosis says of gradients and optimizers: each fault is planted."""

import copy

import pytest
import torch
from processes import spawn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from zoo import vector_pair

from interpreg import (
    ACAIRegularizer,
    Batch,
    Critic,
    Ramp,
    Reconstruction,
    Regularizer,
    SparseRegularizer,
    Term,
    diagnose,
)  # fmt: skip


def head() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 1))


class Listed(nn.Module):
    """A critic whose last layer is in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 8), [nn.Linear(8, 1)]

    def forward(self, x: Tensor) -> Tensor:
        return self.last[0](self.first(x.flatten(1)).tanh())


def trained(reg: Regularizer) -> list[nn.Parameter]:
    return [*reg.encoder.parameters(), *reg.decoder.parameters(), *reg.parameters()]


@pytest.mark.fault(
    "Critics", "A critic that no loss trains: weight 0, or no parameter requires a gradient.",
    now="`diagnose`: `critic_not_trained`",
)  # fmt: skip
def test_critics_that_no_loss_trains(encoder, decoder, x) -> None:
    assert diagnose(Critic(encoder, decoder, critic_weight=0.0), x).kinds == ("critic_not_trained",)
    reg = Critic(encoder, decoder)
    reg.network.requires_grad_(False)
    assert "critic_not_trained" in diagnose(reg, x).kinds
    assert diagnose(Critic(encoder, decoder, critic_weight=Ramp(1.0, start=9)), x).kinds == ()


def test_critics_that_the_autoencoders_losses_reach(encoder, decoder, x) -> None:
    diagnosis = diagnose(Critic(encoder, decoder, Listed()), x)
    assert diagnosis.kinds == ("critic_not_frozen",)
    assert "2 parameters" in diagnosis[0].message


class Whole(nn.Module):
    """One module of all three networks, whose methods encode and decode."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder, self.critic = encoder, decoder, head()

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def test_a_critic_that_a_module_holds_beside_the_autoencoder_is_apart(encoder, decoder, x) -> None:
    whole = Whole(encoder, decoder)
    reg = ACAIRegularizer(whole.encode, whole.decode, critic=whole.critic)
    assert diagnose(reg, x, torch.optim.Adam(whole.parameters())).kinds == ()


def test_critics_that_share_with_the_autoencoder(encoder, decoder, x) -> None:
    reg = Critic(encoder, decoder, head())
    reg.network[1] = encoder[1]  # after the constructor looked
    reg.network[3] = nn.Linear(16, 1)
    diagnosis = diagnose(reg, x)
    assert "shared_parameters" in diagnosis.kinds
    assert "encoder.1.bias, encoder.1.weight" in diagnosis[0].message


@pytest.mark.fault(
    "Gradients", "An encoder or decoder that the losses do not train.", now="`diagnose`: `network_not_reached`"
)
@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_networks_that_no_loss_reaches(encoder, decoder, x, role: str) -> None:
    pair = {"encoder": encoder, "decoder": decoder}
    inner = pair[role]
    pair[role] = lambda value: inner(value.detach()).detach()
    diagnosis = diagnose(Reconstruction(**pair), x)
    unreached = [finding for finding in diagnosis if finding.kind == "network_not_reached"]
    assert f"{role}: it is called and has 4 trained parameters" in unreached[-1].message
    pair[role] = inner.requires_grad_(False)  # on purpose
    assert diagnose(Reconstruction(**pair), x).kinds == ()


class Detached(Regularizer):
    """A term that has no gradient."""

    name = "detached"

    def terms(self, batch: Batch) -> dict[str, Term]:
        return {"detached": Term(batch.z.detach().square().mean(), 2.0)}


@pytest.mark.fault(
    "Gradients",
    "A perceptual loss is computed under `no_grad`, as in a script of diffusers, and trains nothing.",
    now="`diagnose`: `term_without_gradient`",
)
def test_terms_without_a_gradient(encoder, decoder, x) -> None:
    (finding,) = diagnose(Reconstruction(encoder, decoder) + Detached(encoder, decoder), x)
    assert finding.kind == "term_without_gradient"
    assert "'detached' has weight 2" in finding.message


@pytest.mark.fault(
    "Critics", "A critic that is constant or saturated: dead ReLUs, a last layer of zeros, logits of 200.",
    now="`diagnose`: `dwarfed_term`, and `critic_not_trained` where it cannot recover",
)  # fmt: skip
def test_critics_that_give_no_gradient(encoder, decoder, x) -> None:
    for loss, layer, bias in (("regression", 1, -100.0), ("bce", 3, 200.0)):
        reg = ACAIRegularizer(
            encoder, decoder, loss=loss, critic=nn.Sequential(*head()[:2], nn.ReLU(), nn.Linear(8, 1))
        )
        assert diagnose(reg, x).kinds == ()
        reg.critic[layer].bias.data.fill_(bias)
        (finding,) = diagnose(reg, x)
        assert finding.kind == "dwarfed_term"
        assert "'interpolation' at the autoencoder is exactly 0" in finding.message
    dead = nn.Sequential(*head(), nn.ReLU())
    dead[3].bias.data.fill_(-100.0)
    assert diagnose(ACAIRegularizer(encoder, decoder, critic=dead), x).kinds == (
        "critic_not_trained",
        "dwarfed_term",
    )


@pytest.mark.fault(
    "Evaluation", "A network stays in evaluation mode, after a validation, while it is trained.",
    now="`diagnose`: `evaluation_mode`",
)  # fmt: skip
def test_networks_in_evaluation_mode(encoder, decoder, x) -> None:
    encoder.insert(2, nn.BatchNorm1d(16))
    reg = ACAIRegularizer(encoder, decoder)
    assert diagnose(reg, x).kinds == ()
    encoder[2].eval()  # its statistics are frozen on purpose
    assert diagnose(reg, x).kinds == ()
    encoder.eval()
    (finding,) = diagnose(reg, x)
    assert (finding.kind, "encoder.train()" in finding.remedy) == ("evaluation_mode", True)
    assert diagnose(reg.eval(), x).kinds == ()


@pytest.mark.fault(
    "Gradients", "A part of a network is cut off by `detach()`, and the rest trains.",
    now="`diagnose`: `network_not_reached`, with the parameters' names",
)  # fmt: skip
def test_a_part_that_is_cut_off(encoder, decoder, x) -> None:
    encoder.append(nn.Linear(4, 4))
    encoder.unused = nn.Linear(4, 3)  # another loss's

    def cut(x: Tensor) -> Tensor:
        return encoder[4](encoder[:4](x).detach())

    (finding,) = diagnose(Reconstruction(cut, decoder), x)
    assert (finding.kind, finding.severity) == ("network_not_reached", "warning")
    assert "4 parameters (encoder.1.bias, encoder.1.weight, encoder.3.bias, ...)" in finding.message


def test_terms_that_have_done_their_work_are_not_dwarfed(encoder, decoder, x) -> None:
    class Satisfied(Detached):
        def terms(self, batch: Batch) -> dict[str, Term]:
            return {"satisfied": Term(1e-14 * batch.z.square().mean(), 1.0)}

    assert diagnose(Reconstruction(encoder, decoder) + Satisfied(encoder, decoder), x).kinds == ()


def test_the_table_and_terms_that_are_dwarfed(encoder, decoder, x) -> None:
    reg = SparseRegularizer(encoder, decoder, weight=1e-9)
    diagnosis = diagnose(reg, x)
    assert diagnosis.kinds == ("dwarfed_term",)
    losses = reg(x)
    for row in diagnosis.terms:
        for role, network in (("encoder", encoder), ("decoder", decoder)):
            found = torch.autograd.grad(
                losses[row.name], [*network.parameters()], retain_graph=True, allow_unused=True
            )
            found = [g.flatten() for g in found if g is not None]
            assert getattr(row, role) == (pytest.approx(torch.cat(found).norm().item()) if found else None)
        assert row.critic is None
    assert diagnosis.terms[1].name in diagnosis[0].message
    assert diagnose(SparseRegularizer(encoder, decoder, weight=0.0), x).kinds == ()


@pytest.mark.fault(
    "Critics", "An optimizer that lacks parameters of a network, or holds those of a stale copy.",
    now="`diagnose`: `optimizer_misses`, `optimizer_holds_others`, with their names",
)  # fmt: skip
def test_optimizers(encoder, decoder, x) -> None:
    reg = ACAIRegularizer(encoder, decoder)
    full = torch.optim.Adam(trained(reg))
    assert diagnose(reg, x, full).kinds == ()
    (finding,) = diagnose(reg, x, torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1))
    assert finding.kind == "optimizer_misses"
    assert "4 parameters (critic.1.bias, critic.1.weight, critic.3.bias, ...)" in finding.message
    players = (
        torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1),
        torch.optim.SGD(reg.parameters(), 0.1),
    )
    assert diagnose(reg, x, *players).kinds == ()
    stale = torch.optim.SGD([*copy.deepcopy(encoder).parameters(), *decoder.parameters(), *reg.parameters()], 0.1)
    missing, foreign = diagnose(reg, x, stale)
    assert (missing.kind, foreign.kind) == ("optimizer_misses", "optimizer_holds_others")
    assert "encoder.1.bias" in missing.message
    assert "4 of its parameters, such as of shape (16, 64)" in foreign.message


def test_parameters_that_losses_reach_beside_the_networks(encoder, decoder, x) -> None:
    scale = nn.Parameter(torch.ones(()))
    reg = Reconstruction(encoder, decoder, loss=lambda x_hat, x: (scale * x_hat - x).square().mean())
    (finding,) = diagnose(reg, x, torch.optim.Adam(trained(reg)))
    assert "1 parameter (one of shape () that is in no module)" in finding.message
    assert diagnose(reg, x, torch.optim.Adam([*trained(reg), scale])).kinds == ()


def _diagnose_apart(rank: int, world: int) -> None:
    torch.manual_seed(rank)
    encoder, decoder, x = vector_pair()
    kinds = diagnose(Reconstruction(encoder, decoder), x).kinds
    assert kinds == ("not_synchronised", "processes_differ") * 2, kinds
    reg = Reconstruction(DistributedDataParallel(encoder), DistributedDataParallel(decoder))
    for _ in range(2):
        assert diagnose(reg, x).kinds == ()
        sum(reg(x).values()).backward()


@pytest.mark.fault(
    "Processes", "Networks that are trained in several processes and not synchronised.",
    now="`diagnose`: `not_synchronised`, `processes_differ`",
)  # fmt: skip
def test_processes() -> None:
    spawn(_diagnose_apart, 2)
