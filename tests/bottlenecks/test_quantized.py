"""Vector quantizers: the nearest of a codebook, straight through, and how the codebook moves."""

import pytest
import torch
from sequences import Tokens
from torch import nn
from wrapped import nearest, quantized
from zoo import PAIRS, convolutional_pair, token_pair, vector_pair

from interpreg import ACAIRegularizer, VectorQuantizer, VQVAERegularizer
from interpreg.bottlenecks import Quantized


def test_distances_to_the_codebook_are_in_full_precision_under_autocast() -> None:
    encoder = VectorQuantizer(nn.Identity(), dim=2, codebook_size=300)
    z = torch.randn(500, 2)
    with torch.autocast("cpu", torch.bfloat16):
        ours = encoder.eval()(z)
    assert torch.equal(encoder.take_aux().indices, nearest(z, encoder.quantizer.codebook))
    assert ours.dtype == torch.float32


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({}, TypeError, "dim: expected .* got neither"),
    ({"dim": 2, "quantizer": nn.Identity()}, TypeError, "dim: .* got both"),
    ({"quantizer": abs}, TypeError, "quantizer: expected an nn.Module"),
    ({"quantizer": nn.Identity(), "decay": 1}, TypeError, "decay: expected no options"),
    ({"dim": 0}, ValueError, "dim: expected an int of at least 1"),
    ({"dim": 2, "codebook_size": 0}, ValueError, "codebook_size: expected an int of at least 1"),
    ({"dim": 2, "axis": 0}, ValueError, "axis: expected an int other than 0"),
    ({"dim": 2, "codes": "both"}, ValueError, "codes: expected one of 'quantized', 'continuous', got 'both'"),
])  # fmt: skip
def test_wrong_arguments_are_named(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        VectorQuantizer(nn.Identity(), **arguments)


def test_decoders_and_codes_that_do_not_fit_are_named() -> None:
    with pytest.raises(TypeError, match="decoder: expected a module or another callable"):
        VectorQuantizer(nn.Identity(), dim=2).before(3)
    with pytest.raises(ValueError, match=r"network: expected codes 2 long along axis 1, got .* 3"):
        VectorQuantizer(nn.Linear(3, 3), dim=2)(torch.randn(2, 3))
    with pytest.raises(ValueError, match="network: expected codes 3 long along axis 2"):
        VectorQuantizer(nn.Linear(3, 3), dim=3, axis=2)(torch.randn(2, 3))


def test_vectors_along_the_axis_become_the_nearest_of_the_codebook() -> None:
    for make_pair, axis, dim in ((vector_pair, 1, 4), (convolutional_pair, 1, 4), (token_pair, -1, 6)):
        network, _, x = make_pair()
        encoder = VectorQuantizer(network, dim=dim, codebook_size=8, axis=axis)
        codebook = encoder.quantizer.codebook.clone()
        z = network(x)
        vectors = z.movedim(axis, -1)
        chosen = nearest(vectors.reshape(-1, dim), codebook)
        quantized_z = encoder(x)
        expected = codebook[chosen].reshape(vectors.shape).movedim(-1, axis)
        torch.testing.assert_close(quantized_z, expected, rtol=1e-5, atol=1e-6)
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


def test_the_gradient_goes_straight_through(network, x) -> None:
    encoder = VectorQuantizer(network, dim=4)
    direction = torch.randn(6, 4)
    through = torch.autograd.grad((encoder(x) * direction).sum(), list(network.parameters()))
    plain = torch.autograd.grad((network(x) * direction).sum(), list(network.parameters()))
    torch.testing.assert_close(through, plain)


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


def test_padded_positions_neither_commit_nor_move_the_codebook() -> None:
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


def test_continuous_codes_are_quantized_before_the_decoder_and_interpolants_too(network, decoder, x) -> None:
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


@pytest.mark.parametrize(
    ("axis", "message"), [(1, "axis: expected -1 beside a mask"), (-1, "network: expected the mask's 3 positions")]
)
def test_codes_of_which_a_mask_does_not_tell_the_padding_are_refused(axis: int, message: str) -> None:
    mask = torch.tensor([[True, True, True], [True, False, False]])
    length = 3 if axis == 1 else 2
    encoder = VectorQuantizer(lambda x, mask: x[:, :length], dim=3, codebook_size=4, axis=axis)
    before = encoder.quantizer.codebook.clone()
    with pytest.raises(ValueError, match=message):
        encoder(torch.randn(2, 3, 3), mask)
    assert torch.equal(encoder.quantizer.codebook, before)
