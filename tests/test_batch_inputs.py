"""What users' loaders, encoders and decoders hand over that is no plain tensor of floats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch
from calls import seeded
from everyone import REGULARIZERS
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal
from torch.nn import functional as F
from zoo import Zoo, convolutional_pair

import interpreg as ip
from interpreg import ACAIRegularizer, GaussianBottleneck, MMDPrior, PairwiseDistance, Reconstruction


class Meta(Tensor):
    """A tensor that carries metadata through operations, as MONAI's do."""

    affine: object = None

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        result = super().__torch_function__(func, types, args, kwargs or {})
        for each in args:
            if isinstance(result, Meta) and isinstance(each, Meta):
                result.affine = each.affine
        return result


class Bare(Tensor):
    """A subclass with torch's own rules."""


@pytest.mark.fault(
    "Data",
    "A batch is a tensor of a subclass, such as MONAI's `MetaTensor`, or a `Parameter`.",
    now="the losses of the plain tensor, themselves plain tensors",
)
@pytest.mark.parametrize("kind", [Meta, Bare, nn.Parameter])
@pytest.mark.parametrize("name", REGULARIZERS)
def test_subclasses_have_the_losses_of_plain_tensors(name: str, kind: type[Tensor]) -> None:
    encoder, decoder, x = convolutional_pair()
    reg = REGULARIZERS[name](encoder, decoder).eval()
    reg.encoder.eval()  # in which no codebook moves
    expected = seeded(reg, x)
    losses = seeded(reg, nn.Parameter(x) if kind is nn.Parameter else x.as_subclass(kind))
    for key, loss in losses.items():
        assert type(loss) is Tensor
        torch.testing.assert_close(loss, expected[key])
    sum(losses.values()).backward()


def test_an_encoder_is_given_what_the_loader_gave_and_given_codes_may_be_of_a_subclass() -> None:
    encoder, decoder, x = convolutional_pair()
    given = x.as_subclass(Meta)
    given.affine = "kept"

    def reads_metadata(x: Tensor) -> Tensor:
        assert x.affine == "kept"
        return encoder(x)

    reg = ACAIRegularizer(reads_metadata, decoder, critic=ip.fresh_copy(encoder))
    z = reads_metadata(given)
    assert type(z) is Meta
    x_hat = decoder(z)
    for losses in (seeded(reg, given), seeded(reg, given, z=z, x_hat=x_hat)):
        for key, loss in seeded(reg, x, z=encoder(x)).items():
            torch.testing.assert_close(losses[key], loss)


def sparse(x: Tensor) -> list[Tensor]:
    return [x.to_sparse(), x.to_sparse_csr(), x.to_sparse_csc(), x.to_mkldnn()]


@pytest.mark.fault(
    "Data",
    "A batch is sparse, nested, masked, complex or quantized.",
    now="`TypeError` that says what to give instead",
)
@pytest.mark.filterwarnings("ignore")  # torch's, that these are prototypes
def test_tensors_that_are_not_dense_and_real_are_refused(pair: Zoo) -> None:
    x = torch.randn(6, 5)
    nested = [
        torch.nested.nested_tensor([x[:2], x[2:]], layout=layout) for layout in (torch.strided, torch.jagged)
    ]
    cases = [(each, r"x: expected a dense real tensor, got a .*; give x.to_dense\(\)") for each in sparse(x)]
    cases += [(each, r"x: .* got a .*[nN]ested.*; give a padded one, .* and mask=") for each in nested]
    cases += [
        (torch.complex(x, x), r"x: .*complex64.*; give torch.view_as_real\(x\)"),
        (torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), r"x: .*qint8.*; give x.dequantize\(\)"),
        (torch.masked.masked_tensor(x, x > 0), r"x: .* got a MaskedTensor; give its values, x.get_data\(\)"),
    ]
    for value, message in cases:
        with pytest.raises(TypeError, match=message):
            MMDPrior(pair.encoder, pair.decoder)(value)
        with pytest.raises(TypeError, match=message.replace("x: ", "encoder: ", 1)):
            MMDPrior(lambda x, value=value: value, pair.decoder)(pair.x)


@pytest.mark.fault(
    "Data",
    "A batch is the list, tuple or dict of the loader, or images of their own sizes.",
    now='`TypeError` that says "take batch[0]", `batch[\'image\']` or "crop or resize"',
)
@pytest.mark.parametrize(("batch", "message"), [
    ([torch.zeros(4, 3), torch.zeros(4).long()], r"got a list of length 2; take batch\[0\]$"),
    ((torch.zeros(4, 3, 8, 8), torch.zeros(4)), r"got a tuple of length 2; take batch\[0\]$"),
    ({"label": 3, "image": torch.zeros(4, 3), "mask": torch.ones(4)},
     r"got a dict; take batch\['image'\] or batch\['mask'\]$"),
    ([torch.zeros(3, 8, 8), torch.zeros(3, 8, 9)], r"list of length 2; crop or resize .* give torch.stack\(batch\)$"),
    (np.zeros((4, 3), np.float32), r"got a ndarray; give torch.from_numpy\(batch\)$"),
    ("cat.png", r"x: expected a tensor, got 'cat.png'$"),
    ([1.0, 2.0], r"x: expected a tensor, got a list of length 2$"),
])  # fmt: skip
def test_batches_of_loaders_are_told_what_to_take(pair: Zoo, batch: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ACAIRegularizer(pair.encoder, pair.decoder)(batch)


class Pair(NamedTuple):
    code: Tensor
    features: Tensor


@dataclass
class Output:
    last_hidden_state: Tensor
    pooler: object = None


class Latent:
    """As diffusers' distribution of codes."""

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def sample(self) -> Tensor:
        return self.mean


class Held:
    def __init__(self, **parts: object) -> None:
        vars(self).update(parts)


@pytest.mark.fault(
    "Arguments",
    "An encoder returns a pair, a dataclass, a dict or a distribution.",
    now="`TypeError` with the lambda to write, or `GaussianBottleneck(encoder)`",
)
@pytest.mark.parametrize(("returns", "message"), [
    (lambda h: (h, h), r"got a tuple of .*; if .* give GaussianBottleneck\(encoder\), .* lambda x: encoder\(x\)\[0\]"),
    (lambda h: [h, 2 * h], r"got a list of length 2; if it is a mean and a log variance, give GaussianBottleneck"),
    (lambda h: (h, h[:, :1]), r"got a tuple of length 2; give .*encoder=lambda x: encoder\(x\)\[0\] or lambda x: enc"),
    (lambda h: Pair(h, h[:1]), r"got a Pair.*; give .*encoder=lambda x: encoder\(x\)\.code or lambda"),
    (lambda h: Output(h), r"got an Output; give .*encoder=lambda x: encoder\(x\)\.last_hidden_state$"),
    (lambda h: {"z": h, "loss": 3}, r"got a dict; give .*encoder=lambda x: encoder\(x\)\['z'\]$"),
    (lambda h: Held(latent_dist=Latent(h)), r"got a Held; give .*=lambda x: encoder\(x\)\.latent_dist\.sample\(\)$"),
    (lambda h: Held(latents=h, n=3), r"got a Held; give .*encoder=lambda x: encoder\(x\)\.latents$"),
    (lambda h: Normal(h, 1.0), r"got a Normal; if .* GaussianBottleneck\(encoder\), .* encoder\(x\)\.rsample\(\)$"),
    (lambda h: None, r"got None; give .*encoder=lambda x: encoder\(x\)\.\.\.$"),
])  # fmt: skip
def test_outputs_of_encoders_are_told_the_function_to_write(pair: Zoo, returns: Callable, message: str) -> None:
    with pytest.raises(TypeError, match="encoder: expected a tensor, " + message):
        MMDPrior(lambda x: returns(pair.encoder(x)), pair.decoder)(pair.x)


def test_what_a_message_says_to_write_works(pair: Zoo) -> None:
    returns_two = lambda x: (pair.encoder(x), pair.encoder(x))  # noqa: E731
    assert ip.VAERegularizer(GaussianBottleneck(returns_two), pair.decoder)(pair.x)["kl"].isfinite()
    normal = lambda x: Normal(pair.encoder(x), 1.0)  # noqa: E731
    assert ip.VAERegularizer(GaussianBottleneck(normal), pair.decoder)(pair.x)["kl"].isfinite()


class Tokens(nn.Module):
    """Codes of token ids, and logits of them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.code, self.logits = nn.Embedding(9, 4), nn.Linear(4, 3), nn.Linear(3, 9)

    def encode(self, ids: Tensor) -> Tensor:
        return self.code(self.embedding(ids))

    def decode(self, z: Tensor) -> Tensor:
        return self.logits(z)


@pytest.mark.fault(
    "Data",
    "Samples are token ids and the decoder returns logits, a distribution or another number of points.",
    now="works with a `reconstruction=` of your own; terms that compare images raise",
)
def test_token_ids_are_taken_where_no_term_compares_them() -> None:
    model, ids = Tokens(), torch.randint(0, 9, (6, 5))

    def cross_entropy(logits: Tensor, ids: Tensor) -> Tensor:
        assert ids.dtype == torch.long
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten())

    reg = Reconstruction(model.encode, model.decode, loss=cross_entropy) + MMDPrior(model.encode, model.decode)
    losses = reg(ids)
    torch.testing.assert_close(losses["reconstruction"], cross_entropy(model.decode(model.encode(ids)), ids))
    assert losses["mmd"].dtype == torch.float32
    assert MMDPrior(model.encode, model.decode)(ids)["mmd"] == losses["mmd"]
    encoder = GaussianBottleneck(lambda ids: (model.encode(ids), model.encode(ids)))
    reg = ip.VAERegularizer(encoder, model.decode, reconstruction=cross_entropy)
    assert reg(ids)["kl"].isfinite()
    for make in (Reconstruction, PairwiseDistance, ip.ACAIRegularizer):
        options = {"critic": model.code} if make is ip.ACAIRegularizer else {}
        with pytest.raises(
            (TypeError, ValueError), match=r"x: expected a floating point tensor, got a torch.int64"
        ):
            make(nn.Sequential(model.embedding, nn.Linear(4, 3)), lambda z: z[..., 0], **options)(ids)


def test_a_decoder_may_return_what_the_users_loss_takes(pair: Zoo) -> None:
    def bernoulli(z: Tensor) -> Independent:
        return Independent(Bernoulli(logits=pair.decoder(z)), 3)

    x = pair.x.sigmoid().round()
    nll = lambda p, x: -p.log_prob(x).mean()  # noqa: E731
    for make in (Reconstruction, ip.Denoising, ip.CodeDropout):
        reg = make(pair.encoder, bernoulli, loss=nll).eval()
        (loss,) = reg(x).values()
        torch.testing.assert_close(loss, nll(bernoulli(pair.encoder(x)), x))
        assert make(pair.encoder, bernoulli, loss=nll)(x)[reg.name].isfinite()
    torch.testing.assert_close(
        Reconstruction(pair.encoder, bernoulli, loss=nll)(x, x_hat=bernoulli(pair.encoder(x)))["reconstruction"],
        loss,
    )
    for reg in (Reconstruction(pair.encoder, bernoulli), ip.Critic(pair.encoder, bernoulli)):
        with pytest.raises(
            TypeError,
            match=r"decoder: expected a tensor, got an Independent; give decoder=lambda z: "
            r"decoder\(z\).mean, or .* a reconstruction= of your own",
        ):
            reg(x)


def test_point_clouds_may_be_decoded_to_another_number_of_points() -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(30, 4))
    decoder = nn.Sequential(nn.Linear(4, 21), nn.Unflatten(1, (7, 3)))
    x = torch.randn(6, 10, 3)

    def chamfer(x_hat: Tensor, x: Tensor) -> Tensor:
        distances = torch.cdist(x_hat, x)
        return distances.amin(1).mean() + distances.amin(2).mean()

    reg = Reconstruction(encoder, decoder, loss=chamfer) + MMDPrior(encoder, decoder)
    torch.testing.assert_close(reg(x)["reconstruction"], chamfer(decoder(encoder(x)), x))
    with pytest.raises(ValueError, match=r"decoder: expected the shape of x, \(6, 10, 3\), got"):
        (reg + ip.Critic(encoder, decoder))(x)


@pytest.mark.parametrize(("dtype", "message"), [
    (torch.uint8, r"x.float\(\) / 127.5 - 1"), (torch.uint16, r"2 \* x.float\(\) / top - 1"),
    (torch.int16, r"top the largest value of the format"), (torch.bool, r"2 \* x.float\(\) - 1; only"),
])  # fmt: skip
def test_images_of_whole_numbers_are_told_their_scale(pair: Zoo, dtype: torch.dtype, message: str) -> None:
    x = torch.ones(6, 1, 8, 8, dtype=dtype)
    with pytest.raises(TypeError, match=f"x: expected a floating point .*{message}"):
        ACAIRegularizer(pair.encoder, pair.decoder)(x)
    with pytest.raises(RuntimeError, match=message):  # the encoder's own error, with a note
        MMDPrior(pair.encoder, pair.decoder)(x)


@pytest.mark.fault(
    "Arguments",
    "A decoder or encoder uses the batch's labels, and a term calls it with another number of rows.",
    now="the network's own error, with a note that says who called it with how many rows and what to do",
)
def test_labels_in_a_closure_are_named_as_the_cause(pair: Zoo) -> None:
    labels = torch.randn(6, 4)
    decoder = lambda z: pair.decoder(z + labels)  # noqa: E731
    grid = ip.Interpolator(grid=3)
    for reg in (
        ip.Critic(pair.encoder, decoder, interpolator=grid),
        ip.AlphaSmoothness(pair.encoder, decoder, interpolator=grid, method="forward"),
    ):
        with pytest.raises(
            RuntimeError, match=r"size of tensor .*\ninterpreg called the decoder with 18 samples, .* 6,"
        ):
            reg(pair.x)
    with pytest.raises(
        RuntimeError, match=r"or uses labels of the batch, of which it is tried on 4 samples, give me"
    ):
        ip.AlphaSmoothness(pair.encoder, decoder)(pair.x)
    encoder = lambda x: pair.encoder(x) + labels  # noqa: E731
    with pytest.raises(
        RuntimeError, match=r"interpreg called the encoder with 18 samples, .* append them to the code"
    ):
        ip.CycleConsistency(encoder, pair.decoder, interpolator=grid)(pair.x)


def test_labels_that_are_appended_to_the_code_are_mixed_with_it(pair: Zoo) -> None:
    """As the note says: the decoder finds them in its input, in every mix."""
    labels = F.one_hot(torch.arange(6) % 3, 3).float()
    conditioned = nn.Linear(7, 4)
    reg = ip.Critic(
        lambda x: torch.cat([pair.encoder(x), labels], 1), lambda h: pair.decoder(conditioned(h)),
        critic=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), interpolator=ip.Interpolator(grid=3),
    )  # fmt: skip
    assert sum(reg(pair.x).values()).isfinite()
