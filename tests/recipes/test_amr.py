"""AMR against its equations, written out step by step in plain torch; and an autoencoder that steps now and then."""

import copy

import pytest
import torch
from step_for_step import is_step_for_step
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from zoo import Zoo, convolutional_pair, token_pair, vector_pair

from interpreg import AMRRegularizer, Critic, Interpolator, Reconstruction, Sum, fresh_copy
from interpreg.regularizers import CycleConsistency

PAIRS = pytest.mark.parametrize("make_pair", [vector_pair, convolutional_pair, token_pair])


def cyclic(count: int, steps: int = 1) -> list[Tensor]:
    """Who is whose partner: the next ones in a cycle that is drawn at random."""
    cycle = torch.rand(count).argsort()
    partners = []
    for step in range(1, steps + 1):
        partner = torch.empty(count, dtype=torch.long)
        partner[cycle] = cycle.roll(-step)
        partners.append(partner)
    return partners


def mixed(z: Tensor, kind: str, ways: int, shared: bool) -> Tensor:
    count, tail = len(z), [1] * (z.ndim - 1)
    partners = cyclic(count, ways - 1)
    channels = (*z.shape[:2], *[1] * (z.ndim - 2)) if z.ndim > 1 else z.shape
    if ways > 2 and kind == "bernoulli":
        choice = (ways * torch.rand(channels)).long()
        return sum((choice == n) * z[p] for n, p in enumerate(partners)) + (choice == ways - 1) * z
    if ways > 2:
        e = -torch.log(1 - torch.rand(ways, count))
        w = (e / e.sum(0)).view(ways, count, *tail)
        return w[0] * z + sum(w[n + 1] * z[p] for n, p in enumerate(partners))
    p = torch.rand(1 if shared else count, *tail)
    alpha = (torch.rand(channels) < p).float() if kind == "bernoulli" else p
    return alpha * z + (1 - alpha) * z[partners[0]]


def straight_amr(
    pair: Zoo, critic: nn.Module, *, kind: str, ways: int, shared: bool, beta: float
) -> dict[str, Tensor]:
    """The game in which reconstructions and mixes are both fakes."""
    x = pair.x
    z = pair.encoder(x)
    x_hat = pair.decoder(z)
    z_mix = mixed(z, kind, ways, shared)
    x_mix = pair.decoder(z_mix)

    def gan(image: Tensor, label: float) -> Tensor:
        logit = critic(image).flatten(1).mean(1)
        return binary_cross_entropy_with_logits(logit, torch.full_like(logit, label))

    losses = {
        "reconstruction": 10 * (x - x_hat).abs().mean(),
        "interpolation": gan(x_mix, 1),
        "reconstructed": gan(x_hat, 1),
        "critic/interpolation": gan(x_mix.detach(), 0),
        "critic/reconstructed": gan(x_hat.detach(), 0),
        "critic/real": gan(x, 1),
    }
    return losses | ({"cycle": beta * (z_mix - pair.encoder(x_mix)).square().mean()} if beta else {})


@PAIRS
@pytest.mark.parametrize("kind", ["mixup", "bernoulli"])
@pytest.mark.parametrize("ways", [2, 3])
@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_amr_is_its_equations_step_for_step(make_pair, kind: str, ways: int, preset, beta: float) -> None:
    pair = make_pair()
    reg = AMRRegularizer(
        pair.encoder, pair.decoder, kind=kind, ways=ways, preset=preset, cycle_weight=beta, autoencoder_every=1
    )
    reg.critic.eval()  # the norms' power iteration stands still, so that the order of calls does not matter
    shared = preset == "paper" and ways == 2 and kind == "bernoulli"
    is_step_for_step(pair, reg, lambda *nets: straight_amr(*nets, kind=kind, ways=ways, shared=shared, beta=beta))


def test_amr_has_its_defaults_and_the_preset_its_own(pair: Zoo) -> None:
    reg = AMRRegularizer(pair.encoder, pair.decoder)
    assert [type(part) for part in reg.regularizers()] == [Reconstruction, Critic]
    assert (reg.parts["reconstruction"].weight, reg.game.weight, reg.game.reconstructed_weight) == (10, 1, 1)
    assert (reg.game.gamma, reg.game.loss, reg.autoencoder_every) == (1, "bce", 1)
    assert any("parametrizations" in name for name, _ in reg.critic.named_parameters())  # spectral norms
    plain = fresh_copy(pair.encoder)
    assert AMRRegularizer(*pair[:2], critic=plain).critic is plain
    assert not any("parametrizations" in name for name, _ in plain.named_parameters())
    published = AMRRegularizer(pair.encoder, pair.decoder, kind="bernoulli", preset="published", cycle_weight=0.1)
    assert published.autoencoder_every == 5
    assert published.game.interpolator.shared
    assert isinstance(published.parts["cycle"], CycleConsistency)
    assert AMRRegularizer(*pair[:2], preset="published", autoencoder_every=2).autoencoder_every == 2


def straight_loop(pair: Zoo, critic: nn.Module, xs: list[Tensor], every: int) -> list[Tensor]:
    """The published loop: the generator steps once a round, the critic always."""
    own = [*pair.encoder.parameters(), *pair.decoder.parameters()]
    generator = torch.optim.Adam(own, lr=1e-2, betas=(0.5, 0.99), weight_decay=1e-2)
    discriminator = torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.5, 0.99), weight_decay=1e-2)
    for step, x in enumerate(xs):
        torch.manual_seed(step)
        losses = straight_amr(pair._replace(x=x), critic, kind="mixup", ways=2, shared=False, beta=0.0)
        ours = sum(v for name, v in losses.items() if not name.startswith("critic/"))
        theirs = sum(v for name, v in losses.items() if name.startswith("critic/"))
        own_gradients = torch.autograd.grad(ours, own, retain_graph=True)
        for p, g in zip(critic.parameters(), torch.autograd.grad(theirs, list(critic.parameters())), strict=True):
            p.grad = g
        if (step + 1) % every == 0:
            for p, g in zip(own, own_gradients, strict=True):
                p.grad = g
            generator.step()
        discriminator.step()
    return [p.detach() for p in [*own, *critic.parameters()]]


def our_loop(
    reg: Sum, optimizers: list[torch.optim.Optimizer], xs: list[Tensor], first: int = 0, call: object = None
) -> None:
    for step, x in enumerate(xs, first):
        torch.manual_seed(step)
        losses = reg(x) if call is None else call(x)
        for optimizer in optimizers:
            optimizer.zero_grad()
        sum(losses.values()).backward()
        for optimizer in optimizers:
            optimizer.step()


def players(reg: Sum) -> list[Tensor]:
    return [*reg.encoder.parameters(), *reg.decoder.parameters(), *reg.parameters()]


def adam(parameters: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-2, betas=(0.5, 0.99), weight_decay=1e-2)


@pytest.mark.parametrize("every", [5, 1])
@pytest.mark.parametrize("one", [True, False])
def test_adam_leaves_the_autoencoder_alone_between_its_steps(every: int, one: bool) -> None:
    """Its momentum and weight decay too: after 12 steps all parameters are those of the published loop."""
    pair = vector_pair()
    xs = [torch.randn_like(pair.x) for _ in range(12)]
    reg = AMRRegularizer(pair.encoder, pair.decoder, critic=fresh_copy(pair.encoder), autoencoder_every=every)
    twin = copy.deepcopy((pair.encoder, pair.decoder, reg.critic))
    expected = straight_loop(Zoo(twin[0], twin[1], pair.x), twin[2], xs, every)
    own, critics = [*pair.encoder.parameters(), *pair.decoder.parameters()], list(reg.parameters())
    our_loop(reg, [adam(group) for group in ([[*own, *critics]] if one else [own, critics])], xs)
    for actual, p in zip(players(reg), expected, strict=True):
        torch.testing.assert_close(actual.detach(), p, rtol=1e-4, atol=1e-5)


def test_between_its_steps_the_autoencoder_has_no_gradients_at_all(pair: Zoo) -> None:
    reg = AMRRegularizer(pair.encoder, pair.decoder, preset="published")
    own = [*pair.encoder.parameters(), *pair.decoder.parameters()]
    for step in range(10):
        losses = reg(pair.x)
        sum(losses.values()).backward()
        there = [p.grad is not None for p in own]
        assert all(there) if step % 5 == 4 else not any(there)
        assert all(p.grad is not None for p in reg.parameters())
        assert set(reg.unweighted) == set(losses)  # values to log there are always
        for p in players(reg):
            p.grad = None
    reg.eval()
    assert all(loss.requires_grad for loss in reg(pair.x).values())  # a round is of training steps
    assert reg.step == 10


def test_a_round_goes_on_where_it_was_saved() -> None:
    pair = vector_pair()
    xs = [torch.randn_like(pair.x) for _ in range(11)]
    reg = AMRRegularizer(pair.encoder, pair.decoder, preset="published")
    optimizer = adam(players(reg))
    our_loop(reg, [optimizer], xs[:3])
    modules = nn.ModuleList([pair.encoder, pair.decoder, reg])
    saved = copy.deepcopy((modules.state_dict(), optimizer.state_dict()))
    our_loop(reg, [optimizer], xs[3:], first=3)
    fresh = vector_pair()
    other = AMRRegularizer(fresh.encoder, fresh.decoder, preset="published")
    nn.ModuleList([fresh.encoder, fresh.decoder, other]).load_state_dict(saved[0])
    resumed = adam(players(other))
    resumed.load_state_dict(saved[1])
    our_loop(other, [resumed], xs[3:], first=3)
    for actual, expected in zip(players(other), players(reg), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    assert other.step == reg.step == 11


def test_compiled_there_is_one_graph_with_the_autoencoder_and_one_without() -> None:
    pair = vector_pair()
    xs = [torch.randn_like(pair.x) for _ in range(9)]
    reg = AMRRegularizer(pair.encoder, pair.decoder, autoencoder_every=3)
    twin = copy.deepcopy(reg)
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    our_loop(twin, [adam(players(twin))], xs)
    our_loop(reg, [adam(players(reg))], xs, call=torch.compile(reg, fullgraph=True, backend=count))
    assert len(graphs) == 2
    for actual, expected in zip(players(reg), players(twin), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"kind": "fm"}, r"kind: expected one of 'mixup', 'bernoulli', got 'fm'"),
    ({"ways": 1}, r"ways: expected an int of at least 2, got 1"),
    ({"interpolator": Interpolator(), "ways": 3}, r"kind, ways: expected none beside an interpolator"),
])  # fmt: skip
def test_bad_arguments_are_named(pair: Zoo, arguments: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        AMRRegularizer(pair.encoder, pair.decoder, **arguments)
