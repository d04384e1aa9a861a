"""Looks at the data: what is surely wrong is said once, with the line that mends it, and nothing else is."""

import copy
import pickle
import warnings
from functools import partial

import pytest
import torch
from sequences import Tokens, valid
from torch import Tensor, nn
from zoo import images, observed, vector_pair

from interpreg import ACAIRegularizer, Critic, MMDPrior, Reconstruction, Regularizer
from interpreg.regularizers import looks

COLOUR = (8, 3, 8, 8)


def pair_of(shape: tuple[int, ...], *last: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Linear networks for samples of a shape, the decoder with these modules at its end."""
    size = torch.Size(shape[1:]).numel()
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 4))
    return encoder, nn.Sequential(nn.Linear(4, size), *last, nn.Unflatten(1, shape[1:]))


def said(reg: Regularizer, *batches: Tensor, **options: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in batches:
            reg(x, **options)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


def whole(high: int, *shape: int) -> Tensor:
    x = torch.randint(0, high + 1, shape).float()
    x.view(-1)[:2] = torch.tensor([0.0, high])
    return x


@pytest.mark.fault(
    "Data",
    "Pixels in [0, 255], in colour, in grey or flattened (AntixK/PyTorch-VAE#108).",
    now="one warning, `x = x / 127.5 - 1`",
)
@pytest.mark.parametrize("shape", [COLOUR, (8, 8, 8), (8, 64)])
def test_eight_bits(shape: tuple[int, ...]) -> None:
    reg = ACAIRegularizer(*pair_of(shape))
    messages = said(reg, *[whole(255, *shape)] * 9)
    assert len(messages) == 1
    assert "x = x / 127.5 - 1 for 8-bit images" in messages[0]
    assert said(ACAIRegularizer(*pair_of(shape)), whole(255, *shape) / 127.5 - 1) == []


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.int32])
def test_whole_numbers_are_refused_with_the_divisor_of_their_depth(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match="x: expected a floating point tensor") as error:
        Reconstruction(*pair_of(COLOUR))(torch.zeros(COLOUR, dtype=dtype))
    assert ("127.5" in str(error.value)) == (dtype == torch.uint8)
    assert ("65535 for 16 bits" in str(error.value)) == (dtype != torch.uint8)


def test_eight_bits_that_were_resized() -> None:
    (message,) = said(Reconstruction(*pair_of(COLOUR)), 250 * torch.rand(COLOUR))
    assert "x = x / 127.5 - 1 for 8-bit images" in message


@pytest.mark.fault(
    "Data",
    "Pixels of 16 bits or 12 bits, undivided (Nerogar/mgds#55).",
    now="one warning, with their own divisor and never with that of 8 bits",
)
@pytest.mark.parametrize("high", [65535, 4095, 30000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_sixteen_bits(high: int, dtype: torch.dtype) -> None:
    encoder, decoder = pair_of(COLOUR)
    (message,) = said(Reconstruction(encoder.to(dtype), decoder.to(dtype)), whole(high, *COLOUR).to(dtype))
    assert "65535 for 16 bits" in message
    assert "127.5" not in message


@pytest.mark.parametrize("x", [
    images(*COLOUR), torch.rand(COLOUR), torch.randn(COLOUR), torch.rand(COLOUR).round(),
    torch.zeros(COLOUR), torch.ones(COLOUR), images(*COLOUR).sign(),
    3 * torch.randn(8, 30), 1000 * torch.rand(8, 5), torch.randint(0, 60, (8, 5)).float(),
    torch.randint(0, 30000, (8, 5)).float(), torch.eye(8), 50 + 20 * torch.randn(8, 2, 20),
])  # fmt: skip
def test_other_data_are_left_alone(x: Tensor) -> None:
    """In [0, 1], standardised, binary, tables of measurements and of counts, one-hot, signals; a batch of one image."""
    assert said(ACAIRegularizer(*pair_of(x.shape)), *[x] * 5) == []


@pytest.mark.fault(
    "Data",
    "A decoder that ends in a sigmoid, or in a tanh, for data that it cannot reach.",
    now="one warning: the decoder's range, the share of x beyond it, and what to do",
)
@pytest.mark.parametrize(("last", "x", "span"), [
    (nn.Sigmoid(), images(*COLOUR), "[0, 1]"),
    (nn.Sigmoid(), torch.randn(COLOUR), "[0, 1]"),
    (nn.Softmax(1), images(*COLOUR), "[0, 1]"),
    (nn.Tanh(), torch.randn(COLOUR), "[-1, 1]"),
    (nn.Tanh(), 300 * torch.rand(COLOUR), "[-1, 1]"),
    (nn.ReLU(inplace=True), images(*COLOUR), "[0, inf]"),
    (nn.Hardtanh(), torch.randn(COLOUR), "[-1, 1]"),
    (nn.Hardtanh(0.0, 1.0), images(*COLOUR), "[0, 1]"),
])  # fmt: skip
def test_out_of_reach(last: nn.Module, x: Tensor, span: str) -> None:
    messages = said(Reconstruction(*pair_of(COLOUR, last)), *[x] * 3)
    assert len(messages) == 1
    assert f"gives values in {span}" in messages[0]
    share = (x < 0).double().mean() if span.startswith("[0") else None
    if share is not None and x.min() >= -1 and x.max() <= 1:
        assert f"{100 * (x < -looks.SLACK).double().mean():.0f} % of" in messages[0]


@pytest.mark.parametrize(("last", "x"), [
    (nn.Sigmoid(), torch.rand(COLOUR)),
    (nn.Tanh(), torch.rand(COLOUR)),
    (nn.Tanh(), images(*COLOUR)),
    (nn.ReLU(), torch.rand(COLOUR) * 100),
    (nn.Hardtanh(-4.0, 4.0), torch.randn(COLOUR)),
    (nn.Sequential(nn.Sigmoid(), nn.Linear(192, 192)), images(*COLOUR)),
])  # fmt: skip
def test_within_reach(last: nn.Module, x: Tensor) -> None:
    assert said(Reconstruction(*pair_of(COLOUR, last)), *[x] * 3) == []


@pytest.mark.fault(
    "Data",
    '"bernoulli" on data outside [-1, 1], whose loss goes to minus infinity, or on pixels in [0, 1].',
    now="one warning, with the expected range",
)
@pytest.mark.parametrize(("x", "mend"), [
    (300 * torch.rand(COLOUR), "scale x to"), (torch.randn(COLOUR), "scale x to"), (torch.rand(COLOUR), "2 * x - 1")
])  # fmt: skip
def test_bernoulli(x: Tensor, mend: str) -> None:
    pair = pair_of(COLOUR)
    for reg in (Reconstruction(*pair, loss="bernoulli"), ACAIRegularizer(*pair, reconstruction="bernoulli")):
        messages = said(reg, *[x] * 3)
        assert len(messages) == 1
        assert mend in messages[0]
        assert said(reg, images(*COLOUR)) == []


@pytest.mark.fault(
    "Numerics",
    "NaN or infinite values in the data, or a loss that becomes NaN on finite data.",
    now="one warning: the share of x that is not finite, or where to look",
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(value: float) -> None:
    x = images(*COLOUR)
    x.view(-1)[:192] = value  # an eighth
    messages = said(ACAIRegularizer(*pair_of(COLOUR)), *[x] * 3)
    assert len(messages) == 1
    assert "12.5 % of the values of x are NaN or infinite" in messages[0]
    encoder, decoder = pair_of(COLOUR)
    encoder[1].weight.data[0, 0] = value
    (message,) = said(Reconstruction(encoder, decoder), images(*COLOUR))
    assert "x is, so it began in a network" in message


def test_missing_values_that_networks_and_losses_expect_are_left_alone() -> None:
    x = images(8, 6)
    x[0, :3] = torch.nan
    encoder, decoder = nn.Sequential(Filled(), nn.Linear(6, 2)), nn.Linear(2, 6)
    assert said(Reconstruction(encoder, decoder, loss=observed), *[x] * 3) == []


class Filled(nn.Module):
    """Zeros for missing values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.nan_to_num()


def test_padding_is_not_looked_at() -> None:
    mask = valid()
    x = images(4, 5, 3).masked_fill(~mask[..., None], torch.nan)
    reg = MMDPrior(Tokens(3, 2), Tokens(2, 3), weight=0.0)
    numbers = []
    for padding in (torch.nan, 1000.0):
        batch = looks.Batch(x.masked_fill(~mask[..., None], padding), reg.encoder, reg.decoder, mask=mask)
        numbers.append(looks.Numbers(*looks.measured(batch, {"loss": torch.zeros(())}).tolist()))
    assert numbers[0] == numbers[1]
    assert numbers[0].not_finite == 0
    assert numbers[0].low == pytest.approx(x[mask].min().item())
    assert numbers[0].high == pytest.approx(x[mask].max().item())


@pytest.mark.fault(
    "Bottlenecks", "The codes of all samples are equal.", now="one warning that they have collapsed"
)
@pytest.mark.parametrize("scale", [0.0, 1e-9])
def test_codes_that_stand_still(scale: float) -> None:
    encoder, decoder, x = vector_pair()
    encoder[-1].weight.data.mul_(scale)
    messages = said(Reconstruction(encoder, decoder), *[x] * 9)
    assert len(messages) == 1
    assert "has collapsed" in messages[0]
    assert said(Reconstruction(encoder, decoder), x[:1], x[:1].expand_as(x)) == []  # the samples are equal, too


def test_codes_that_collapse_later_are_reported_later() -> None:
    encoder, decoder, x = vector_pair()
    reg = Reconstruction(encoder, decoder)
    assert said(reg, *[x] * 5) == []
    encoder[-1].weight.data.zero_()
    assert (said(reg, x, x), len(said(reg, *[x] * 9))) == ([], 1)  # at call 8, and not again at call 16


@pytest.mark.fault(
    "Critics",
    "Validation under `no_grad` without `reg.eval()`: its data move the critic's batch statistics.",
    now="one warning that names the network",
)
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("role", ["critic", "encoder", "decoder", "method"])
def test_statistics_that_validation_moves(context: type, role: str) -> None:
    encoder, decoder, x = vector_pair()
    normed = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    critic = normed if role == "critic" else nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    if role in ("encoder", "method"):
        encoder = normed if role == "encoder" else partial(nn.Sequential.forward, normed)
    if role == "decoder":
        decoder = nn.Sequential(nn.BatchNorm1d(4), decoder)
    reg = Critic(encoder, decoder, critic)
    assert said(reg, x, x, x) == []  # training
    with context():
        messages = said(reg, *[x] * 4)
        assert len(messages) == 1
        assert f"the BatchNorm1d of the {role.replace('method', 'encoder')} is in training mode" in messages[0]
        of_critic_alone = Critic(encoder, decoder, critic).eval()
        assert len(said(of_critic_alone, x)) == (role != "critic")  # reg.eval() is not encoder.eval()
        for network in (encoder, decoder, normed):
            if isinstance(network, nn.Module):
                network.eval()
        assert said(Critic(encoder, decoder, critic).eval(), x) == []


def test_layers_without_running_statistics_may_validate_in_training_mode() -> None:
    encoder, decoder, x = vector_pair()
    critic = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.LayerNorm(8), nn.Dropout()
    )
    with torch.no_grad():
        assert said(Critic(encoder, decoder, critic), x) == []


def test_only_some_calls_are_looked_at_and_each_mode_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, decoder, x = vector_pair()
    seen, measured = [], looks.measured
    monkeypatch.setattr(looks, "measured", lambda *values: seen.append(values) or measured(*values))
    reg = ACAIRegularizer(encoder, decoder)
    said(reg, *[x] * 20)
    assert len(seen) == 5  # calls 1, 2, 4, 8, 16 of the outermost, and none of its parts
    with torch.no_grad():
        said(reg.eval(), *[x] * 3)
    assert len(seen) == 7


def test_looks_are_no_state_and_copies_look_for_themselves() -> None:
    encoder, decoder, x = vector_pair()
    reg, other = (Reconstruction(encoder, decoder) for _ in range(2))
    x, before = whole(255, *x.shape), torch.get_rng_state()
    assert len(said(reg, x)) == 1
    assert torch.equal(torch.get_rng_state(), before)
    assert reg.state_dict().keys() == other.state_dict().keys()
    for twin in (copy.deepcopy(reg), pickle.loads(pickle.dumps(reg))):
        assert len(said(twin, x)) == 1


class Labelled(Tensor):
    """A subclass backed by memory, as MONAI's."""


def test_subclasses_are_looked_at_and_compiled_code_is_not() -> None:
    x = whole(255, *COLOUR)
    assert len(said(Reconstruction(*pair_of(COLOUR)), x.as_subclass(Labelled))) == 1
    reg = Reconstruction(*pair_of(COLOUR))
    compiled = torch.compile(reg, fullgraph=True, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        compiled(x)
    assert not reg._call_checks.looks.calls


def test_codes_and_losses_of_another_device_are_not_waited_for() -> None:
    x = whole(255, *COLOUR)
    batch = looks.Batch(x, nn.Flatten(), nn.Flatten(), z=torch.zeros(8, 4, device="meta"))
    numbers = looks.Numbers(*looks.measured(batch, {"loss": torch.zeros((), device="meta")}).tolist())
    assert (numbers.high, numbers.standing, numbers.finite_losses) == (255, 0, 1)


def test_samples_without_elements_have_no_values() -> None:
    assert said(MMDPrior(lambda x: torch.randn(len(x), 2), nn.Identity()), torch.zeros(8, 0)) == []


def test_transformed_values_are_not_read() -> None:
    encoder, decoder, x = vector_pair()
    reg = Reconstruction(encoder, decoder)
    torch.func.grad(lambda x: reg(x)["reconstruction"])(255 * x.round())
    torch.func.jvp(lambda x: reg(x)["reconstruction"], (255 * x.round(),), (x,))


@pytest.mark.fault(
    "Data",
    "Images that are normalised before they are divided, that are divided twice, or grey, in videos or channels last.",
    now="one warning, with the order of the two steps or with `x = 2 * x - 1`",
)
@pytest.mark.parametrize(("x", "mend"), [
    ((whole(255, *COLOUR) - 0.45) / 0.225, "divide by 255 before the mean"),
    (whole(255, *COLOUR) - torch.tensor([123.7, 116.8, 103.9])[:, None, None], "divide by 255 before the mean"),
    (2 * whole(255, *COLOUR) - 1, "divide by 255 before the mean"),
    (torch.rand(COLOUR) / 127.5 - 1, "x = 2 * x - 1"), ((torch.rand(8, 1, 8, 8) - 127.5) / 127.5, "x = 2 * x - 1"),
    (images(*COLOUR) / 127.5 - 1, "x = 2 * x - 1"), (torch.rand(COLOUR) / 255, "x = 2 * x - 1"),
    (254.9 * torch.rand(8, 1, 16, 16), "127.5"), (255 * torch.rand(8, 16, 16, 3), "127.5"),
    (255 * torch.rand(8, 3, 4, 8, 8), "127.5"), (255 * torch.rand(8, 4, 3, 8, 8), "127.5"),
    (65535 * torch.rand(8, 1, 16, 16), "65535 for 16 bits"), (whole(4095, 8, 16, 16), "4095 for 12 bits"),
    (torch.randint(-32768, 32768, (8, 1, 50)).float(), "x / 32768"),
    (torch.randint(-32768, 32768, (8, 100)).float(), "x / 32768"),
])  # fmt: skip
def test_scales_that_went_wrong(x: Tensor, mend: str) -> None:
    (message,) = said(Reconstruction(*pair_of(x.shape)), *[x] * 3)
    assert mend in message


@pytest.mark.parametrize("x", [
    (torch.rand(COLOUR) - 0.45) / 0.225, (20 * torch.randn(8, 1, 20, 10) - 60).round().clamp(max=0),
    torch.randint(-32, 32, (8, 20, 3)).float(), torch.randint(0, 10, (8, 20, 3)).float(),
    80 * torch.rand(8, 1, 16, 16), 1500 * torch.rand(8, 1, 16, 16), 1e-6 * torch.randn(8, 1, 50),
    torch.randint(0, 180, (8, 5)).float() * torch.tensor([0.0, 1, 1, 1, 1]), whole(240, 8, 100),
    torch.randint(0, 2, (8, 1, 8, 8)).float(), torch.randint(0, 16384, (8, 1, 8, 8)) / 16383 * 2 - 1,
])  # fmt: skip
def test_more_data_that_are_left_alone(x: Tensor) -> None:
    """Standardised, decibels, voxels, counts, metres, intensities, near silence, ages, words, masks, thermal."""
    assert said(Reconstruction(*pair_of(x.shape)), *[x] * 3) == []


def test_labels_and_other_losses_of_the_users_are_left_alone() -> None:
    x = torch.randint(0, 21, (8, 1, 8, 8)).float()

    def of_levels(x_hat: Tensor, x: Tensor) -> Tensor:
        return (torch.sigmoid(x_hat) - x / 20).square().mean()

    def of_shares(x_hat: Tensor, x: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy(x_hat, (x + 1) / 2)

    assert said(Reconstruction(*pair_of(x.shape), loss=of_levels), *[x] * 3) == []
    assert len(said(Reconstruction(*pair_of(x.shape)), *[x] * 3)) == 1
    pair = pair_of(COLOUR, nn.Sigmoid())
    assert said(Reconstruction(*pair, loss=of_shares), *[images(*COLOUR)] * 3) == []
    for loss in (nn.MSELoss(), nn.functional.l1_loss):
        assert len(said(Reconstruction(*pair, loss=loss), *[images(*COLOUR)] * 3)) == 1


@pytest.mark.fault(
    "Data", 'A decoder that ends in a sigmoid or tanh beside "bernoulli", which expects logits.',
    now="one warning: the loss contains the sigmoid",
)  # fmt: skip
@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Tanh()])
def test_bernoulli_expects_logits(last: nn.Module) -> None:
    (message,) = said(Reconstruction(*pair_of(COLOUR, last), loss="bernoulli"), *[images(*COLOUR)] * 3)
    assert "expects logits of any size" in message
