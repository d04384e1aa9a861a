"""Every regularizer is traced whole and once, and none of them waits for the device."""

import copy
import shutil

import pytest
import torch
from everyone import REGULARIZERS, traceable
from torch import nn
from torch._dynamo.testing import CompileCounter, CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from zoo import PAIRS, Zoo, vector_pair

from interpreg import ACAIRegularizer, Ramp

# Tracing takes seconds: every regularizer with batch statistics and dropout, some with attention, two with all
WITH_ATTENTION = ("aeai", "smoothness", "midrae", "latent critic", "acai on a vae")


COMPILED = [
    (name, pair)
    for name in REGULARIZERS
    for pair in PAIRS
    if pair == "batch norm" or name in ("acai", "mmd") or (pair == "rank 3" and name in WITH_ATTENTION)
]


@pytest.mark.fault(
    "Compiled code",
    "Checks of shapes at run time break or multiply graphs (jaxtyping#235).",
    now="one graph",
)
@pytest.mark.parametrize(("name", "pair"), COMPILED)
def test_compiles_whole_and_once(name: str, pair: str) -> None:
    """With the eager backend, because what is asked is whether one graph can be traced."""
    make, zoo = REGULARIZERS[name], PAIRS[pair]()
    counter = CompileCounter()
    reg = traceable(make(zoo.encoder.eval(), zoo.decoder.eval()))
    modules = nn.ModuleList([reg.encoder, reg])
    reference = copy.deepcopy(modules.state_dict())
    torch.manual_seed(3)
    eager = [{name: loss.item() for name, loss in reg(zoo.x).items()} for _ in range(3)]
    modules.load_state_dict(reference)
    compiled = torch.compile(reg, fullgraph=True, backend=counter)
    torch.manual_seed(3)
    with torch._dynamo.config.patch(allow_rnn=True):  # which torch leaves off by default
        traced = [{name: loss.item() for name, loss in compiled(zoo.x).items()} for _ in range(3)]
    assert traced == [pytest.approx(losses, rel=1e-5, abs=1e-7) for losses in eager]
    phases = 2 if name == "scheduled" else 1  # its critic begins at the second step
    assert counter.frame_count == phases  # neither the step counter nor the logged values make it compile again
    assert reg.unweighted.keys() == eager[0].keys()


@pytest.mark.fault(
    "Compiled code",
    "`requires_grad_()` is toggled around a compiled critic, whose graph is then stale (dingo-gw/dingo PR#407).",
    now="critics are frozen by detached parameters; compiled gradients are the eager ones",
)
def test_compiled_gradients_are_the_eager_ones(zoo: Zoo) -> None:
    reg = ACAIRegularizer(zoo.encoder.eval(), zoo.decoder.eval())
    compiled = torch.compile(reg, fullgraph=True, backend="aot_eager")
    pair = [*zoo.encoder.parameters(), *zoo.decoder.parameters()]
    trained = [*pair, *reg.parameters()]
    gradients = []
    for call in (reg, compiled):
        torch.manual_seed(3)
        with torch._dynamo.config.patch(allow_rnn=True):
            players = reg.split(call(zoo.x))
        own = torch.autograd.grad(players.autoencoder, trained, retain_graph=True, allow_unused=True)
        critics = torch.autograd.grad(players.critic, trained, allow_unused=True)
        leaks = [*own[len(pair) :], *critics[: len(pair)]]
        assert all(g is None or (g == 0).all() for g in leaks)
        gradients.append([*own[: len(pair)], *critics[len(pair) :]])
    for eager, traced in zip(*gradients, strict=True):
        torch.testing.assert_close(traced, eager)


def test_a_loop_with_batches_of_any_size_compiles_to_few_graphs(encoder, decoder) -> None:
    """One for the first size, one for any even and one for any odd size; and these two again once a ramp begins."""
    reg = ACAIRegularizer(encoder, decoder, reconstruction=None, weight=Ramp(0.5, start=2, over=3))
    counter = CompileCounter()

    @torch.compile(fullgraph=True, backend=counter)
    def step(x: torch.Tensor) -> torch.Tensor:
        z = encoder(x)
        x_hat = decoder(z)
        return (x_hat - x).abs().mean() + sum(reg(x, z=z, x_hat=x_hat).values())

    seen = []
    for size in (6, 8, 7, 5, 12, 9, 2, 3):
        step(vector_pair(size).x).backward()
        seen.append(counter.frame_count)
    assert (seen, reg.game.step) == ([1, 2, 3, 4, 5, 5, 5, 5], 8)


@pytest.mark.skipif(not shutil.which("c++"), reason="Inductor needs a C++ compiler, and there is none here")
def test_inductor_trains_as_eager_does(encoder, decoder, x) -> None:
    """Its random numbers are its own, so what is compared is where training gets to."""
    reg = ACAIRegularizer(encoder, decoder)
    compiled = torch.compile(reg, fullgraph=True)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], lr=1e-2)
    history = []
    for _ in range(60):
        losses = compiled(x)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append(losses["reconstruction"].item())
    assert history[-1] < 0.5 * history[0]
    assert reg.game.step == 60


def test_never_waits_for_a_device(make) -> None:
    """Fake tensors have no values: whoever asks for one is caught."""
    encoder, decoder, x = PAIRS["batch norm"]()
    reg = traceable(make(encoder, decoder))
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        losses = reg(mode.from_tensor(x))
        sum(losses.values()).backward()
    assert all(loss.shape == () for loss in losses.values())


SAMPLING = (
    "mmd sampled", "mmd median", "latent critic", "aae", "midrae as published", "aeai", "gaia", "gaia as published",
    "convex", "bernoulli bce", "denoising", "dropout", "vae",
)  # fmt: skip


@pytest.mark.fault(
    "Compiled code",
    "What draws from a prior raises at the second size of a batch, or is compiled anew for every size.",
    now="one graph for the first size, and one for even and one for odd sizes, for every regularizer that draws",
)
@pytest.mark.parametrize("name", SAMPLING)
def test_draws_are_traced_for_every_batch_size(name: str, encoder, decoder) -> None:
    """With torch's own autograd in the graph for those that sample a prior, whose gradients are eager's."""
    reg = REGULARIZERS[name](encoder, decoder)
    counter = CompileCounterWithBackend("aot_eager" if name in ("mmd sampled", "aae") else "eager")
    compiled = torch.compile(reg, fullgraph=True, backend=counter)
    for size in (6, 8, 7, 12, 9, 5):
        losses = compiled(vector_pair(size).x)
        sum(losses.values()).backward()
        assert all(loss.isfinite() for loss in losses.values())
    assert counter.frame_count <= 3
