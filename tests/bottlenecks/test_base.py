"""What all bottlenecks do: they stay modules like any other, and what they note is taken once."""

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from calls import seeded
from sequences import Positions, valid
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from wrapped import quantized, variational
from zoo import Zoo, vector_pair

from interpreg import Commitment, CycleConsistency, KLPrior, fresh_copy
from interpreg.bottlenecks import DenoisingBottleneck, DropoutBottleneck, GaussianBottleneck, VectorQuantizer
from interpreg.bottlenecks.base import Bottleneck
from interpreg.recipes import VAERegularizer, VQVAERegularizer

BOTTLENECKS: dict[str, Callable[[nn.Module], Bottleneck]] = {
    "gaussian": variational, "quantized": quantized, "dropout": DropoutBottleneck,
    "denoising": DenoisingBottleneck,
}  # fmt: skip


@pytest.fixture(params=BOTTLENECKS)
def wrap(request: pytest.FixtureRequest) -> Callable[[nn.Module], Bottleneck]:
    return BOTTLENECKS[request.param]


def test_codes_keep_the_shape_and_the_type_of_the_networks(wrap, zoo: Zoo) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        encoder = wrap(zoo.encoder.to(dtype))
        for mode in (True, False):
            z, plain = encoder.train(mode)(zoo.x.to(dtype)), zoo.encoder(zoo.x.to(dtype))
            assert (z.shape, z.dtype) == (plain.shape, plain.dtype)


def test_a_copy_of_any_kind_begins_without_a_note_and_computes_the_same(wrap, network, x) -> None:
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


def test_a_generator_is_where_randomness_comes_from_and_is_copied_too(network, x) -> None:
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
    output = critic(zoo.x)
    assert torch.equal(before, torch.get_rng_state())
    assert output.shape == encoder(zoo.x).shape
    output.square().sum().backward()
    assert all(p.grad is not None for p in critic.parameters())
    assert not any("codebook" in name for name, _ in critic.named_buffers())
    assert not encoder.passthrough


def test_bare_is_what_the_network_says(wrap, zoo: Zoo) -> None:
    encoder = wrap(zoo.encoder.eval())
    encoder.passthrough = True
    torch.testing.assert_close(encoder(zoo.x), zoo.encoder(zoo.x))


def test_masks_reach_the_network(wrap) -> None:
    network, mask = Positions(6, 4), valid()
    encoder = VectorQuantizer(network, dim=4, axis=-1, codebook_size=8) if wrap is quantized else wrap(network)
    assert encoder(torch.randn(4, 5, 6), mask).shape == (4, 5, 4)
    assert network.masks[0] is mask


def test_all_but_k_means_compile_whole(wrap, zoo: Zoo) -> None:
    encoder = wrap(zoo.encoder.eval())
    state = copy.deepcopy(encoder.state_dict())
    eager = seeded(encoder, zoo.x).detach()
    encoder.load_state_dict(state)
    compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.testing.assert_close(seeded(compiled, zoo.x), eager)


def test_a_note_is_of_the_latest_call_and_is_taken_once(network, decoder, x) -> None:
    encoder = variational(network)
    reg = VAERegularizer(encoder, decoder)
    z = encoder(x)
    encoder(x)
    with pytest.raises(ValueError, match=r"z: .* the codes of the latest call of .* GaussianBottleneck, got"):
        reg(x, z=z)
    z = encoder(x)
    reg(x, z=z)
    with pytest.raises(ValueError, match="in turn, or leave z to it"):
        reg(x, z=z)
    reg(x)


def test_two_terms_read_one_note(network, decoder, x) -> None:
    encoder = variational(network)
    losses = (KLPrior(encoder, decoder) + KLPrior(encoder, decoder, weight=2.0))(x)
    torch.testing.assert_close(losses["kl_2"], 2 * losses["kl"])


@pytest.mark.parametrize(("make", "recipe"), [(variational, VAERegularizer), (quantized, VQVAERegularizer)])
@pytest.mark.usefixtures("process_group")
def test_a_bottleneck_is_found_in_whatever_wraps_it(make, recipe, network, decoder, x) -> None:
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
        torch.testing.assert_close([p.grad for p in other.parameters()], [q.grad for q in plain.parameters()])


@pytest.mark.parametrize("kind", [KLPrior, Commitment])
def test_an_encoder_without_its_bottleneck_is_refused(kind, network, decoder) -> None:
    name = "GaussianBottleneck" if kind is KLPrior else "VectorQuantizer"
    for encoder in (network, lambda x: x):
        with pytest.raises(TypeError, match=rf"encoder: expected a module with a {name} inside, .* wrap it once"):
            kind(encoder, decoder)
    make = variational if kind is KLPrior else quantized
    with pytest.raises(ValueError, match=f"exactly one {name} inside, got 2"):
        kind(nn.Sequential(make(network), make(network)), decoder)
    with pytest.raises(ValueError, match=f"exactly one {name} inside, got one that passes codes through"):
        kind(fresh_copy(make(network)), decoder)


def test_a_second_encoding_keeps_no_aux(encoder, decoder, x) -> None:
    """What the interpolants' codes have beside them is nobody's, and its graph would stay until the next batch."""
    encoder = variational(encoder)
    reg = VAERegularizer(encoder, decoder) + CycleConsistency(encoder, decoder)
    reg(x)
    with pytest.raises(ValueError, match=r"z: expected the codes of the latest call"):
        encoder.take_aux()


@pytest.mark.parametrize("make", [GaussianBottleneck, DropoutBottleneck, lambda e: VectorQuantizer(e, dim=2)])
def test_a_network_that_is_none_is_refused_and_so_is_what_it_returns(make) -> None:
    with pytest.raises(TypeError, match="network: expected a module or another callable"):
        make(nn.Linear)
    with pytest.raises(TypeError, match="expected a tensor, got a dict"):
        make(lambda x: {"z": x})(torch.randn(2, 3))
