"""The contract that every regularizer keeps, on networks of every kind."""

import copy
import gc
import math
import re
import shutil
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from wrapped import quantized, variational
from zoo import PAIRS, Zoo, vector_pair

from interpreg import (
    AAERegularizer,
    ACAIRegularizer,
    AEAIRegularizer,
    AlphaSmoothness,
    AMRRegularizer,
    AutoencodingCritic,
    Critic,
    CycleConsistency,
    DenoisingRegularizer,
    DropoutRegularizer,
    DualCritic,
    GAIARegularizer,
    Interpolator,
    KLPrior,
    LatentCritic,
    LRAERegularizer,
    MIAERegularizer,
    MIDRAERegularizer,
    MMDPrior,
    PairwiseDistance,
    Ramp,
    Reconstruction,
    Regularizer,
    SinkhornPrior,
    SparseRegularizer,
    Sparsity,
    VAERegularizer,
    VectorQuantizer,
    VQVAERegularizer,
    WAERegularizer,
    fresh_copy,
    spectral_norm,
)
from interpreg.kernels import RBF, Energy


def _with_critic(encoder: nn.Module, decoder: nn.Module) -> Regularizer:
    return ACAIRegularizer(encoder, decoder) + KLPrior(encoder, decoder, weight=0.1)


def _quantized_inside(encoder: VectorQuantizer, decoder: nn.Module) -> Regularizer:
    decoder = encoder.before(decoder)
    return VQVAERegularizer(encoder, decoder) + ACAIRegularizer(encoder, decoder, reconstruction=None)


def shape(encoder: nn.Module) -> tuple[int, ...]:
    """Of a code of one of the zoo's encoders, which a latent critic may be told."""
    return encoder.code_shape


REGULARIZERS: dict[str, Callable[[nn.Module, nn.Module], Regularizer]] = {
    "reconstruction": Reconstruction,
    "critic": Critic,
    "acai": ACAIRegularizer,
    "sum": lambda e, d: Reconstruction(e, d) + Critic(e, d) + Critic(e, d, loss="hinge"),
    "multidimensional code-shaped": lambda e, d: Critic(
        e, d, judge="code", interpolator=Interpolator(kind="multidimensional")
    ),
    "bernoulli bce": lambda e, d: Critic(e, d, loss="bce", interpolator=Interpolator(kind="bernoulli")),
    "convex": lambda e, d: Critic(e, d, interpolator=Interpolator(kind="convex", ways=3)),
    "spherical": lambda e, d: Critic(e, d, interpolator=Interpolator(kind="spherical")),
    "scheduled": lambda e, d: ACAIRegularizer(
        e, d, critic_weight=Ramp(1.0, start=1), weight=Ramp(0.5, start=2, over=3)
    ),
    "mmd": MMDPrior,
    "mmd sampled": lambda e, d: MMDPrior(e, d, prior="sphere", kernel=Energy(), closed_form=False),
    "mmd median": lambda e, d: MMDPrior(e, d, kernel=RBF("median"), estimator="biased"),
    "sinkhorn": SinkhornPrior,
    "acai + mmd": lambda e, d: ACAIRegularizer(e, d) + MMDPrior(e, d, kernel=RBF.midrae()) + MMDPrior(e, d),
    "dual critic": lambda e, d: DualCritic(e, d, judge="mean"),
    "miae": lambda e, d: MIAERegularizer(e, d, preset="published"),
    "lrae": LRAERegularizer,
    "midrae": MIDRAERegularizer,
    "midrae as published": lambda e, d: MIDRAERegularizer(e, d, preset="published"),
    "vae": lambda e, d: VAERegularizer(variational(e), d),
    "vae as published": lambda e, d: VAERegularizer(variational(e, sample="always"), d, preset="published"),
    "vqvae": lambda e, d: VQVAERegularizer(quantized(e), d),
    "vqvae interpolated before quantizing": lambda e, d: _quantized_inside(quantized(e, codes="continuous"), d),
    "acai on a vae": lambda e, d: _with_critic(variational(e), d),
    "denoising": DenoisingRegularizer,
    "dropout": DropoutRegularizer,
    "sparse": SparseRegularizer,
    "sparsity l1": Sparsity,
    "acai + denoising + dropout": lambda e, d: (
        ACAIRegularizer(e, d) + DenoisingRegularizer(e, d) + DropoutRegularizer(e, d)
    ),
    "wae": WAERegularizer,
    "wae sinkhorn": lambda e, d: WAERegularizer(e, d, divergence="sinkhorn"),
    "cycle": CycleConsistency,
    "smoothness": AlphaSmoothness,
    "aeai": AEAIRegularizer,
    "aeai grid": lambda e, d: AEAIRegularizer(e, d, grid=3, reconstruction="l1"),
    "latent critic": lambda e, d: LatentCritic(e, d, code_shape=shape(e), loss="hinge", prior="sphere"),
    "aae": lambda e, d: AAERegularizer(e, d, code_shape=shape(e)),
    "gaia": GAIARegularizer,
    "gaia as published": lambda e, d: GAIARegularizer(e, d, preset="published"),
    "autoencoding critic": lambda e, d: AutoencodingCritic(e, d, interpolator=Interpolator()),
    "distances": PairwiseDistance,
    "amr": lambda e, d: AMRRegularizer(e, d, cycle_weight=0.1),
    "amr bernoulli": lambda e, d: AMRRegularizer(e, d, kind="bernoulli"),
    "spectral": lambda e, d: ACAIRegularizer(e, d, critic=spectral_norm(fresh_copy(e))),
}


@pytest.fixture(params=REGULARIZERS)
def make(request: pytest.FixtureRequest) -> Callable[[nn.Module, nn.Module], Regularizer]:
    return REGULARIZERS[request.param]


def traceable(reg: Regularizer) -> Regularizer:
    """Skips the one regularizer that says it waits for the device."""
    if any(isinstance(module, SinkhornPrior) for module in reg.modules()):
        pytest.skip("geomloss reads values on the host")
    return reg


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


# Tracing takes seconds: every regularizer with batch statistics and dropout, some with attention, two with all
WITH_ATTENTION = ("aeai", "smoothness", "midrae", "latent critic", "acai on a vae")
COMPILED = [
    (name, pair)
    for name in REGULARIZERS
    for pair in PAIRS
    if pair == "batch norm" or name in ("acai", "mmd") or (pair == "rank 3" and name in WITH_ATTENTION)
]


@pytest.mark.parametrize(("name", "pair"), COMPILED)
def test_compiles_whole_and_once(name: str, pair: str) -> None:
    """With the eager backend, because what is asked is whether one graph can be traced."""
    make, zoo = REGULARIZERS[name], PAIRS[pair]()
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    reg = traceable(make(zoo.encoder.eval(), zoo.decoder.eval()))
    modules = nn.ModuleList([reg.encoder, reg])
    reference = copy.deepcopy(modules.state_dict())
    torch.manual_seed(3)
    eager = [{name: loss.item() for name, loss in reg(zoo.x).items()} for _ in range(3)]
    modules.load_state_dict(reference)
    compiled = torch.compile(reg, fullgraph=True, backend=count)
    torch.manual_seed(3)
    with torch._dynamo.config.patch(allow_rnn=True):  # which torch leaves off by default
        traced = [{name: loss.item() for name, loss in compiled(zoo.x).items()} for _ in range(3)]
    assert traced == [pytest.approx(losses, rel=1e-5, abs=1e-7) for losses in eager]
    phases = 2 if name == "scheduled" else 1  # its critic begins at the second step
    assert len(graphs) == phases  # neither the step counter nor the logged values make it compile again
    assert reg.unweighted.keys() == eager[0].keys()


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


def test_a_loop_with_batches_of_any_size_compiles_to_few_graphs() -> None:
    """One for the first size, one for any even and one for any odd size; and these two again once a ramp begins."""
    encoder, decoder, _ = vector_pair()
    reg = ACAIRegularizer(encoder, decoder, reconstruction=None, weight=Ramp(0.5, start=2, over=3))
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    @torch.compile(fullgraph=True, backend=count)
    def step(x: torch.Tensor) -> torch.Tensor:
        z = encoder(x)
        x_hat = decoder(z)
        return (x_hat - x).abs().mean() + sum(reg(x, z=z, x_hat=x_hat).values())

    seen = []
    for size in (6, 8, 7, 5, 12, 9, 2, 3):
        step(vector_pair(size).x).backward()
        seen.append(len(graphs))
    assert seen == [1, 2, 3, 4, 5, 5, 5, 5]
    assert reg.game.step == 8


@pytest.mark.skipif(not shutil.which("c++"), reason="Inductor needs a C++ compiler, and there is none here")
def test_inductor_trains_as_eager_does() -> None:
    """Its random numbers are its own, so what is compared is where training gets to."""
    encoder, decoder, x = vector_pair()
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
