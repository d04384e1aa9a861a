"""Bottlenecks: what they do to codes, what they note, and that they stay modules like any other."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from processes import leave
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from wrapped import Scale, quantized, variational
from zoo import PAIRS, Zoo, convolutional_pair, token_pair, vector_pair

from interpreg import (
    ACAIRegularizer,
    Critic,
    DenoisingBottleneck,
    DropoutBottleneck,
    GaussianBottleneck,
    KLPrior,
    Reconstruction,
    VAERegularizer,
    VectorQuantizer,
    VQVAERegularizer,
    fresh_copy,
)
from interpreg.bottlenecks import Posterior, Quantized
from interpreg.bottlenecks.base import Bottleneck

BOTTLENECKS: dict[str, Callable[[nn.Module], Bottleneck]] = {
    "gaussian": variational,
    "quantized": quantized,
    "dropout": DropoutBottleneck,
    "denoising": DenoisingBottleneck,
}


@pytest.fixture(params=BOTTLENECKS)
def wrap(request: pytest.FixtureRequest) -> Callable[[nn.Module], Bottleneck]:
    return BOTTLENECKS[request.param]


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone, left when the test's wrappers are gone."""
    distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    leave()


def seeded(call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    torch.manual_seed(3)
    return call(x)


def test_codes_keep_the_shape_and_the_type_of_the_networks(wrap, zoo: Zoo) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        encoder = wrap(zoo.encoder.to(dtype))
        for mode in (True, False):
            z, plain = encoder.train(mode)(zoo.x.to(dtype)), zoo.encoder(zoo.x.to(dtype))
            assert (z.shape, z.dtype) == (plain.shape, plain.dtype)


def test_a_copy_of_any_kind_begins_without_a_note_and_computes_the_same(wrap) -> None:
    network, _, x = vector_pair()
    encoder = wrap(network)
    encoder(x).sum().backward()  # leaves a note that has a history
    file = io.BytesIO()
    torch.save(encoder, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    loaded = wrap(vector_pair().encoder)
    loaded.load_state_dict(encoder.state_dict())
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder)), saved, loaded):
        with pytest.raises(ValueError, match="expected the codes of the latest call"):
            other.take_aux()
        torch.testing.assert_close(seeded(other, x), seeded(copy.deepcopy(encoder), x))


def test_a_generator_is_where_randomness_comes_from_and_is_copied_too() -> None:
    network, _, x = vector_pair()
    for make in (variational, DropoutBottleneck, DenoisingBottleneck):
        first, second = (make(network, generator=torch.Generator().manual_seed(5)) for _ in range(2))
        before = torch.get_rng_state()
        z = first(x)
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(z, second(x))
        assert not torch.equal(z, second(x))
        assert torch.equal(copy.deepcopy(second)(x), second(x))


def test_a_fresh_copy_is_bare_deterministic_and_trains_all_it_has(wrap, zoo: Zoo) -> None:
    encoder = wrap(zoo.encoder)
    critic = fresh_copy(encoder)
    for module in critic.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    before = torch.get_rng_state()
    said = critic(zoo.x)
    assert torch.equal(before, torch.get_rng_state())
    assert said.shape == encoder(zoo.x).shape
    said.square().sum().backward()
    assert all(p.grad is not None for p in critic.parameters())
    assert not any("codebook" in name for name, _ in critic.named_buffers())
    assert not encoder.passthrough


def test_bare_is_what_the_network_says(wrap, zoo: Zoo) -> None:
    encoder = wrap(zoo.encoder.eval())
    encoder.passthrough = True
    torch.testing.assert_close(encoder(zoo.x), zoo.encoder(zoo.x))


def test_masks_reach_the_network(wrap) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 4)
            self.bias = nn.Parameter(torch.zeros(4))

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return self.inner(x) * mask[..., None] + self.bias

    if wrap is quantized:
        wrap = lambda e: VectorQuantizer(e, dim=4, axis=-1, codebook_size=8)  # noqa: E731
    encoder = wrap(Masked())
    mask = torch.tensor([[True, True, False], [True, False, False]])
    z = encoder(torch.randn(2, 3, 6), mask)
    assert z.shape == (2, 3, 4)


def test_all_but_k_means_compile_whole(wrap, zoo: Zoo) -> None:
    encoder = wrap(zoo.encoder.eval())
    state = copy.deepcopy(encoder.state_dict())
    eager = seeded(encoder, zoo.x).detach()
    encoder.load_state_dict(state)
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.testing.assert_close(seeded(compiled, zoo.x), eager)


# ---- Gaussian


def test_a_sample_is_the_mean_plus_the_spread_times_noise() -> None:
    network, _, x = vector_pair()
    head = Scale()
    encoder = GaussianBottleneck(network, heads=(nn.Identity(), head))
    z = seeded(encoder, x)
    h = network(x)
    torch.manual_seed(3)
    noise = torch.randn(6, 4)
    torch.testing.assert_close(z, h + torch.exp(0.5 * head(h)) * noise)
    note = encoder.take_aux()
    assert isinstance(note, Posterior)
    assert torch.equal(note.mean, h)
    assert torch.equal(note.log_variance, head(h))


def test_the_law_of_the_samples() -> None:
    """Means and variances of 20000 samples, within five standard errors."""
    encoder = GaussianBottleneck(lambda x: (x, torch.full_like(x, 2.0).log()))
    z = encoder(torch.full((20000, 2), 3.0))
    torch.testing.assert_close(z.mean(0), torch.full((2,), 3.0), rtol=0, atol=5 * (2 / 20000) ** 0.5)
    torch.testing.assert_close(z.var(0), torch.full((2,), 2.0), rtol=0, atol=5 * 2 * (2 / 20000) ** 0.5)


def test_eval_mode_gives_the_mean_unless_always_sampled() -> None:
    network, _, x = vector_pair()
    encoder = variational(network).eval()
    assert torch.equal(encoder(x), network(x))
    always = variational(network, sample="always")
    trained = seeded(always, x)
    assert torch.equal(seeded(always.eval(), x), trained)
    assert not torch.equal(trained, network(x))


def test_the_three_ways_of_saying_a_posterior_agree() -> None:
    x = torch.randn(5, 3, 4, 4)
    network = nn.Conv2d(3, 6, 1)
    pair = GaussianBottleneck(lambda x: tuple(network(x).chunk(2, 1)))
    halves = GaussianBottleneck(network)
    heads = (nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    for half, head in enumerate(heads):
        head.weight.data = network.weight[3 * half : 3 * half + 3].data
        head.bias.data = network.bias[3 * half : 3 * half + 3].data
    headed = GaussianBottleneck(nn.Identity(), heads=heads)
    for encoder in (pair, headed):
        torch.testing.assert_close(seeded(encoder, x), seeded(halves, x))
    sequences = GaussianBottleneck(nn.Linear(4, 10), axis=-1)
    assert sequences(x).shape == (5, 3, 4, 5)


def test_dense_heads_are_the_published_ones() -> None:
    network, _, x = convolutional_pair()
    encoder = GaussianBottleneck.dense(network, (4, 2, 2), sample="always")
    assert encoder.sample == "always"
    layers = [encoder.mean_head[1], encoder.log_variance_head[1]]
    z = seeded(encoder, x)
    flat = network(x).reshape(6, 16)
    mean, log_variance = (flat @ layer.weight.T for layer in layers)  # biases are 0
    torch.manual_seed(3)
    expected = mean + (0.5 * log_variance).exp() * torch.randn(6, 4, 2, 2).reshape(6, 16)
    torch.testing.assert_close(z.reshape(6, 16), expected)
    for layer in layers:
        assert (layer.bias == 0).all()
        assert layer.weight.abs().max() <= (6 / 32) ** 0.5  # Glorot-uniform of 16 to 16
        assert layer.weight.abs().max() > 0.9 * (6 / 32) ** 0.5


@pytest.mark.parametrize("log_variance", [-9.1, 12.3, 22.0])
def test_a_sample_in_half_precision_is_rounded_once(log_variance: float) -> None:
    """In fp16 the spread would be rounded, or overflow, before it is multiplied with the noise."""
    encoder = GaussianBottleneck(lambda x: (x, torch.full_like(x, log_variance)))
    x = torch.randn(64, 2).half()
    z = seeded(encoder, x)
    torch.manual_seed(3)
    noise = torch.randn(64, 2)
    expected = x.float() + torch.full_like(x, log_variance).float().div(2).exp() * noise
    assert torch.equal(z, expected.half())


def test_the_commitment_of_half_precision_codes_is_in_fp32() -> None:
    encoder = VectorQuantizer(nn.Identity(), dim=2)
    x = torch.randn(50, 2).bfloat16()
    codebook = encoder.quantizer.codebook.clone()
    expected = (x.float() - codebook[nearest(x.float(), codebook)]).square().mean()
    for mode in (False, True):
        encoder.train(mode)(x)
        torch.testing.assert_close(encoder.take_aux().commitment, expected)


def test_distances_to_the_codebook_are_in_full_precision_under_autocast() -> None:
    encoder = VectorQuantizer(nn.Identity(), dim=2, codebook_size=300)
    z = torch.randn(500, 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder.eval()(z)
    assert torch.equal(encoder.take_aux().indices, nearest(z, encoder.quantizer.codebook))
    assert found.dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GaussianBottleneck(nn.Linear), TypeError, "network: expected a module or another callable"),
        (lambda: GaussianBottleneck(nn.Identity(), heads=nn.Identity()), TypeError, "heads: expected two modules"),
        (lambda: GaussianBottleneck(nn.Identity(), heads=(1, 2)), TypeError, "heads: expected two modules"),
        (lambda: GaussianBottleneck(nn.Identity(), axis=0), ValueError, "axis: expected an int other than 0"),
        (lambda: GaussianBottleneck(nn.Identity(), axis=1.0), ValueError, "axis: expected an int other than 0"),
        (
            lambda: GaussianBottleneck(nn.Identity(), sample="never"),
            ValueError,
            "sample: expected one of 'training'",
        ),
        (
            lambda: GaussianBottleneck.dense(nn.Identity(), 4),
            TypeError,
            "code_shape: expected the axes of one code",
        ),
        (
            lambda: GaussianBottleneck.dense(nn.Identity(), ()),
            TypeError,
            "code_shape: expected the axes of one code",
        ),
        (lambda: GaussianBottleneck.dense(nn.Identity(), (4, 0)), ValueError, "code_shape: expected an int of at"),
        (lambda: DropoutBottleneck(nn.Identity(), p=1), ValueError, "p: expected a number below 1"),
        (lambda: DropoutBottleneck(nn.Identity(), p=-0.1), ValueError, r"p: expected a finite number in \[0, 1\]"),
        (
            lambda: DenoisingBottleneck(nn.Identity(), std=-1),
            ValueError,
            "std: expected a finite number of at least",
        ),
        (
            lambda: DenoisingBottleneck(nn.Identity(), corrupt=3),
            TypeError,
            "corrupt: expected a module or another",
        ),
        (lambda: VectorQuantizer(nn.Identity()), TypeError, "dim: expected .* got neither"),
        (lambda: VectorQuantizer(nn.Identity(), dim=2, quantizer=nn.Identity()), TypeError, "dim: .* got both"),
        (lambda: VectorQuantizer(nn.Identity(), quantizer=abs), TypeError, "quantizer: expected an nn.Module"),
        (
            lambda: VectorQuantizer(nn.Identity(), quantizer=nn.Identity(), decay=1),
            TypeError,
            "decay: expected no op",
        ),
        (lambda: VectorQuantizer(nn.Identity(), dim=0), ValueError, "dim: expected an int of at least 1"),
        (
            lambda: VectorQuantizer(nn.Identity(), dim=2, codebook_size=0),
            ValueError,
            "codebook_size: expected an int",
        ),
        (lambda: VectorQuantizer(nn.Identity(), dim=2, axis=0), ValueError, "axis: expected an int other than 0"),
        (
            lambda: VectorQuantizer(nn.Identity(), dim=2, codes="both"),
            ValueError,
            "codes: expected one of 'quantized'",
        ),
        (
            lambda: VectorQuantizer(nn.Identity(), dim=2).before(3),
            TypeError,
            "decoder: expected a module or another",
        ),
    ],
)
def test_arguments_are_refused_by_name(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (
            GaussianBottleneck(nn.Linear(3, 3)),
            ValueError,
            r"even number .* along axis 1, .* shape \(2, 3\); return",
        ),
        (GaussianBottleneck(nn.Flatten(0)), ValueError, r"even number .* along axis 1, .* shape \(6,\)"),
        (
            GaussianBottleneck(lambda x: (x, x, x)),
            ValueError,
            "network: expected two tensors, got a tuple of length 3",
        ),
        (GaussianBottleneck(lambda x: (x, x[:1])), ValueError, "log_variance: expected the shape of the mean"),
        (GaussianBottleneck(lambda x: {"z": x}), TypeError, "network: expected a tensor, got a dict; return"),
        (GaussianBottleneck(lambda x: (x, x.long())), TypeError, "log_variance: expected a floating point tensor"),
        (
            VectorQuantizer(nn.Linear(3, 3), dim=2),
            ValueError,
            "network: expected codes 2 long along axis 1, got .* 3",
        ),
        (
            VectorQuantizer(nn.Linear(3, 3), dim=3, axis=2),
            ValueError,
            "network: expected codes 3 long along axis 2",
        ),
        (VectorQuantizer(lambda x: (x, x), dim=3), TypeError, "network: expected a tensor, got a tuple"),
        (DropoutBottleneck(lambda x: (x, x)), TypeError, "z: expected a tensor, got a tuple"),
        (
            DenoisingBottleneck(nn.Identity(), corrupt=lambda x: x[:1]),
            ValueError,
            "corrupt: expected the shape of x",
        ),
        (
            DenoisingBottleneck(nn.Identity(), corrupt=lambda x: None),
            TypeError,
            "corrupt: expected a tensor, got None",
        ),
    ],
)
def test_outputs_are_refused_by_name(encoder: Bottleneck, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        encoder(torch.randn(2, 3))


# ---- notes


def test_a_note_is_of_the_latest_call_and_is_taken_once() -> None:
    network, decoder, x = vector_pair()
    encoder = variational(network)
    reg = VAERegularizer(encoder, decoder)
    z = encoder(x)
    encoder(x)
    with pytest.raises(
        ValueError, match=r"z: expected the codes of the latest call of .* GaussianBottleneck, got others"
    ):
        reg(x, z=z)
    z = encoder(x)
    reg(x, z=z)
    with pytest.raises(ValueError, match="in turn, or leave z to it"):
        reg(x, z=z)
    reg(x)


def test_two_terms_read_one_note() -> None:
    network, decoder, x = vector_pair()
    encoder = variational(network)
    losses = (KLPrior(encoder, decoder) + KLPrior(encoder, decoder, weight=2.0))(x)
    torch.testing.assert_close(losses["kl_2"], 2 * losses["kl"])


@pytest.mark.parametrize(("make", "recipe"), [(variational, VAERegularizer), (quantized, VQVAERegularizer)])
@pytest.mark.usefixtures("process_group")
def test_a_bottleneck_is_found_in_whatever_wraps_it(make, recipe) -> None:
    network, decoder, x = vector_pair()
    encoder = make(network)
    plain = copy.deepcopy(encoder)
    expected = seeded(recipe(plain, decoder), x)
    sum(expected.values()).backward()
    wrapped = [
        nn.Sequential(copy.deepcopy(encoder)),
        DistributedDataParallel(copy.deepcopy(encoder)),
        torch.compile(copy.deepcopy(encoder), backend="eager"),
    ]
    for other in wrapped:
        losses = seeded(recipe(other, decoder), x)
        sum(losses.values()).backward()
        for name, loss in expected.items():
            torch.testing.assert_close(losses[name], loss)
        for p, q in zip(other.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad)


# ---- quantized


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Indices of the nearest codebook vectors, one by one."""
    return torch.stack([(codebook - v).square().sum(1).argmin() for v in vectors])


def test_vectors_along_the_axis_become_the_nearest_of_the_codebook() -> None:
    for make_pair, axis, dim in ((vector_pair, 1, 4), (convolutional_pair, 1, 4), (token_pair, -1, 6)):
        network, _, x = make_pair()
        encoder = VectorQuantizer(network, dim=dim, codebook_size=8, axis=axis)
        codebook = encoder.quantizer.codebook.clone()
        z = network(x)
        vectors = z.movedim(axis, -1)
        chosen = nearest(vectors.reshape(-1, dim), codebook)
        quantized_z = encoder(x)
        torch.testing.assert_close(
            quantized_z, codebook[chosen].reshape(vectors.shape).movedim(-1, axis), rtol=1e-5, atol=1e-6
        )
        note = encoder.take_aux()
        assert isinstance(note, Quantized)
        assert torch.equal(note.indices, chosen.reshape(vectors.shape[:-1]))
        torch.testing.assert_close(note.commitment, (z - quantized_z).square().mean())


def test_codes_of_rank_one_are_vectors_of_one() -> None:
    network, _, x = PAIRS["rank 1"]()
    encoder = quantized(network)
    codebook = encoder.quantizer.codebook.clone()
    z = encoder(x)
    assert torch.equal((z[:, None] - codebook[:, 0]).abs().min(1).values < 1e-6, torch.ones(6, dtype=torch.bool))
    assert encoder.take_aux().indices.shape == (6,)


def test_the_gradient_goes_straight_through() -> None:
    network, _, x = vector_pair()
    encoder = VectorQuantizer(network, dim=4)
    direction = torch.randn(6, 4)
    through = torch.autograd.grad((encoder(x) * direction).sum(), list(network.parameters()))
    plain = torch.autograd.grad((network(x) * direction).sum(), list(network.parameters()))
    for a, b in zip(through, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_the_codebook_is_a_moving_average_in_training_and_rests_in_eval_and_in_the_decoder() -> None:
    """van den Oord et al. 2017, eqs 6 to 8, with the library's start of one count each and its smoothing."""
    network, decoder, x = vector_pair()
    encoder = VectorQuantizer(network, dim=4, codebook_size=3)
    start = encoder.quantizer.codebook.clone()
    encoder.eval()(x)
    behind = encoder.before(decoder)
    z = torch.randn(6, 4)
    behind(z)
    encoder.train()
    behind(z)
    assert torch.equal(encoder.quantizer.codebook, start)
    z = network(x).detach()
    chosen = nearest(z, start)
    encoder(x)
    counts, sums = torch.ones(3), start.clone()
    for k in range(3):
        mine = z[chosen == k]
        counts[k] = 0.99 * counts[k] + 0.01 * len(mine)
        sums[k] = 0.99 * sums[k] + 0.01 * mine.sum(0)
    smooth = (counts + 1e-5) / (counts.sum() + 3e-5) * counts.sum()
    torch.testing.assert_close(encoder.quantizer.codebook, sums / smooth[:, None])


def test_in_eval_mode_the_commitment_is_still_said() -> None:
    network, decoder, x = convolutional_pair()
    encoder = VectorQuantizer(network, dim=4).eval()
    reg = VQVAERegularizer(encoder, decoder).eval()
    losses = reg(x)
    expected = (network(x) - encoder(x)).square().mean()
    torch.testing.assert_close(losses["commitment"], 0.25 * expected)


def test_padded_positions_neither_commit_nor_move_the_codebook() -> None:
    class Tokens(nn.Linear):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(x)

    network = Tokens(5, 4)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    x = torch.randn(2, 3, 5)
    padded, short = (VectorQuantizer(network, dim=4, codebook_size=4, axis=-1) for _ in range(2))
    short.load_state_dict(padded.state_dict())
    for mode in (True, False):
        z = padded.train(mode)(x, mask)
        alone = short.train(mode)(x[mask][None])
        torch.testing.assert_close(z[mask], alone[0])
        note, other = padded.take_aux(), short.take_aux()
        torch.testing.assert_close(note.commitment, other.commitment)
        assert torch.equal(note.indices[mask], other.indices[0])
        assert (note.indices[~mask] == -1).all()
        torch.testing.assert_close(padded.quantizer.codebook, short.quantizer.codebook)


def test_continuous_codes_are_quantized_before_the_decoder_and_interpolants_too() -> None:
    network, decoder, x = vector_pair()
    encoder = VectorQuantizer(network, dim=4, codebook_size=8, codes="continuous").eval()
    behind = encoder.before(decoder)
    assert {id(p) for p in behind.parameters()} == {id(p) for p in decoder.parameters()}
    assert not list(behind.buffers())
    codebook = encoder.quantizer.codebook
    torch.testing.assert_close(encoder(x), network(x))
    z = network(x)
    torch.testing.assert_close(behind(z), decoder(codebook[nearest(z, codebook)]))
    reg = ACAIRegularizer(encoder, behind)
    mix = 0.25 * z + 0.75 * z.flip(0)
    torch.testing.assert_close(reg.decoder(mix), decoder(codebook[nearest(mix, codebook)]))


def test_a_quantizer_of_ones_own_and_options_of_the_library() -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    network, decoder, x = vector_pair()
    own = library.ResidualVQ(dim=4, codebook_size=8, num_quantizers=2)
    reg = VQVAERegularizer(VectorQuantizer(network, quantizer=own), decoder)
    sum(reg(x).values()).backward()
    started = VectorQuantizer(nn.Identity(), dim=2, codebook_size=2, kmeans_init=True)
    two = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    started(two)  # k-means of two vectors finds them
    torch.testing.assert_close(started.quantizer.codebook.sort(0).values, two, rtol=1e-4, atol=0)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vector_quantize_pytorch", None)
    with pytest.raises(ImportError, match=r"pip install 'interpreg\[vq\]'"):
        VectorQuantizer(nn.Identity(), dim=2)


# ---- noise


def test_dropout_thins_the_code_in_training_only() -> None:
    network, _, x = vector_pair()
    encoder = DropoutBottleneck(network, p=0.25)
    whole = network(x)
    z = seeded(encoder, x)
    torch.manual_seed(3)
    kept = torch.rand(6, 4) >= 0.25
    torch.testing.assert_close(z, whole * kept / 0.75)
    assert 0 < (~kept).sum() < kept.numel()
    assert torch.equal(encoder.eval()(x), whole)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    z = DropoutBottleneck(nn.Identity(), p=0.25)(torch.ones(200, 200))
    assert abs((z == 0).float().mean() - 0.25) < 5 * (0.25 * 0.75 / 40000) ** 0.5
    assert abs(z.mean() - 1) < 5 * (0.25 / 0.75 / 40000) ** 0.5


def test_the_denoising_encoder_sees_noise_in_training_only() -> None:
    network, decoder, x = vector_pair()
    encoder = DenoisingBottleneck(network, std=0.5)
    z = seeded(encoder, x)
    torch.manual_seed(3)
    torch.testing.assert_close(z, network(x + 0.5 * torch.randn(6, 1, 8, 8)))
    torch.testing.assert_close(encoder.eval()(x), network(x))
    swapped = DenoisingBottleneck(network, corrupt=lambda x: -x)
    torch.testing.assert_close(swapped(x), network(-x))
    losses = seeded(Reconstruction(encoder.train(), decoder), x)
    torch.testing.assert_close(losses["reconstruction"], (decoder(z) - x).square().mean())


# ---- with a critic


def test_acai_on_a_variational_autoencoder_has_a_deterministic_critic_with_all_its_gradients() -> None:
    network, decoder, x = vector_pair()
    encoder = variational(network)
    reg = ACAIRegularizer(encoder, decoder) + KLPrior(encoder, decoder)
    losses = reg(x)
    assert list(losses) == ["reconstruction", "interpolation", "critic/interpolation", "critic/real", "kl"]
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in reg.parameters())
    assert all(p.grad is not None for p in encoder.parameters())
    critic = next(part for part in reg.modules() if isinstance(part, Critic)).network
    assert torch.equal(critic(x), critic(x))
