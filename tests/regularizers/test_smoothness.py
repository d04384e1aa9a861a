"""The smoothness term: its value, what it shares, how its method is found, what it leaves behind."""

import pytest
import torch
from calls import calls
from decoders import attention, cubes
from torch import Tensor, nn
from zoo import PAIRS, Zoo

from interpreg import AlphaSmoothness, Critic, CycleConsistency, Interpolator

# torch's own, when it first looks for a rule of forward mode
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

STRATEGIES = {
    "ACAI's": Interpolator(),
    "grid": Interpolator(grid=3, alpha_range=(0.0, 1.0), pairing="permutation"),
    "spherical": Interpolator(kind="spherical"),
    "multidimensional": Interpolator(kind="multidimensional"),
}


def straight_smoothness(decoder: nn.Module, z: Tensor, strategy: Interpolator) -> Tensor:
    """The mean square of the derivative in alpha, by torch's own double backward through mixing and decoding."""
    mixed = strategy.sample(z)
    own = torch.cat([z] * (len(mixed.z_mix) // len(z)))
    alpha = mixed.alpha.detach().clone().requires_grad_()
    step = torch.zeros(len(own), *[1] * (own.ndim - 1), dtype=own.dtype)

    def decoded(step: Tensor) -> Tensor:
        return decoder(strategy.mix(own, mixed.z_partner, alpha + step))

    _, dx = torch.autograd.functional.jvp(decoded, step, torch.ones_like(step), create_graph=True)
    return (dx**2).mean()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", [name for name in PAIRS if name != "batch norm"])  # its oracle: test_derivative
def test_it_is_the_mean_square_of_the_derivative_in_alpha(name: str, strategy: str) -> None:
    encoder, decoder, x = PAIRS[name]()
    encoder, decoder, x = encoder.double(), decoder.double(), x.double()
    reg = AlphaSmoothness(encoder, decoder, interpolator=STRATEGIES[strategy], weight=0.3)
    trained = [*encoder.parameters(), *decoder.parameters()]
    torch.manual_seed(7)
    expected = straight_smoothness(decoder, encoder(x), STRATEGIES[strategy])
    torch.manual_seed(7)
    losses = reg(x)
    assert list(losses) == ["smoothness"]
    torch.testing.assert_close(losses["smoothness"], 0.3 * expected)
    torch.testing.assert_close(reg.unweighted["smoothness"], expected.detach())
    options = {"allow_unused": True, "materialize_grads": True}
    ours = torch.autograd.grad(losses["smoothness"], trained, **options)
    torch.testing.assert_close(ours, torch.autograd.grad(0.3 * expected, trained, **options))


def test_padding_has_no_say() -> None:
    encoder, decoder = (nn.Linear(3, 3).double() for _ in range(2))
    x, mask = torch.randn(4, 5, 3).double(), torch.arange(5) < torch.tensor([5, 2, 3, 4])[:, None]
    reg = AlphaSmoothness(lambda x, mask: encoder(x), lambda z, mask: decoder(z))
    ours = reg(x, mask=mask)["smoothness"]
    valid, both = mask | mask.flip(0), mask & mask.flip(0)
    change = (encoder(x) - encoder(x).flip(0)) * both[..., None]  # where one ends, nothing changes
    torch.testing.assert_close(ours, 0.1 * ((change @ decoder.weight.T)[valid] ** 2).mean())


@pytest.mark.parametrize("order", ["last", "first"])
def test_others_share_its_interpolants(order: str, encoder, decoder, x) -> None:
    strategy = Interpolator()
    parts = [Critic(encoder, decoder), CycleConsistency(encoder, decoder), AlphaSmoothness(encoder, decoder)]
    reg = sum(parts if order == "last" else parts[::-1], start=strategy)
    reg(x)  # when the method is found
    encoded, decoded = calls(encoder), calls(decoder)
    reg(x)
    assert (len(encoded), len(decoded)) == (2, 2)  # one of the decoder's for the critic's reconstructions


def test_an_explicit_method_is_used_and_explained() -> None:
    encoder, decoder, x = nn.Linear(3, 4), cubes(), torch.randn(6, 3)
    with pytest.raises(RuntimeError, match=r"got one without; use method='double-backward' or method='finite'"):
        AlphaSmoothness(encoder, decoder, method="forward")(x)
    decoded = calls(decoder)
    AlphaSmoothness(encoder, decoder, method="double-backward")(x)
    assert len(decoded) == 1
    reg = AlphaSmoothness(encoder, decoder, method="finite")
    reg(x)  # once, whether calls repeat
    decoded.clear()
    reg(x)
    assert len(decoded) == 3


def test_evaluation_needs_no_gradients(encoder, decoder, x) -> None:
    reg = AlphaSmoothness(encoder, decoder).eval()
    values = []
    for context in (torch.inference_mode(), torch.no_grad(), torch.enable_grad()):
        torch.manual_seed(2)
        with context:
            values.append(reg(x)["smoothness"].item())
    assert values == [values[-1]] * 3


@pytest.mark.fault(
    "Gradients",
    "Validation under torch.inference_mode, as in Lightning, raises after the first training step.",
    now="the same value as without it",
)
@pytest.mark.parametrize("method", ["auto", "forward", "double-backward", "finite"])
def test_validation_in_inference_mode_before_and_after_a_training_step(method: str, x) -> None:
    encoder, decoder = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 4)), nn.Linear(4, x[0].numel())
    decoder = nn.Sequential(decoder, nn.LayerNorm(x[0].numel()), nn.Unflatten(1, x.shape[1:]))
    reg = AlphaSmoothness(encoder, decoder, method=method)
    for _ in range(2):
        values = []
        for context in (torch.inference_mode(), torch.no_grad(), torch.enable_grad()):
            torch.manual_seed(2)
            with context:
                values.append(reg(x.clone())["smoothness"].item())
        assert values == [values[-1]] * 3
        reg(x)["smoothness"].backward()


def test_inference_mode_with_a_mask() -> None:
    layer, mask = (
        nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
        torch.arange(5) < torch.tensor([[5], [3], [4]]),
    )
    values = []
    for context in (torch.inference_mode(), torch.enable_grad()):
        reg = AlphaSmoothness(lambda x, _: x + 0, lambda z, mask: layer.eval()(z, src_key_padding_mask=~mask))
        torch.manual_seed(2)
        with context:
            values.append(
                reg(torch.linspace(-1, 1, 60).cos().reshape(3, 5, 4), mask=mask.clone())["smoothness"].item()
            )
    assert values[0] == values[1]


@pytest.mark.parametrize("method", ["auto", "finite"])
def test_transforms_of_torch_func(method: str) -> None:
    encoder, decoder, x = nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 3), nn.Tanh()), torch.randn(6, 3)
    values = []
    for gradient in (torch.func.grad, lambda f: lambda x: torch.autograd.grad(f(x.requires_grad_()), x)[0]):
        reg = AlphaSmoothness(encoder, decoder, method=method)
        torch.manual_seed(2)
        values.append(gradient(lambda x, reg=reg: reg(x)["smoothness"])(x))
    torch.testing.assert_close(*values)


def test_attention_compiled_whole_has_the_eager_gradients() -> None:
    encoder, decoder, x = nn.Linear(4, 4), attention(), torch.randn(6, 3, 4)
    reg = AlphaSmoothness(encoder, decoder)
    trained = [*encoder.parameters(), *decoder.parameters()]
    values = []
    for run in (reg, torch.compile(reg, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(2)
        loss = run(x)["smoothness"]
        values.append(torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True))
    torch.testing.assert_close(values[1], values[0])


def test_without_a_path_from_code_to_code_there_is_nothing_to_differentiate(encoder, decoder) -> None:
    jumps = Interpolator(kind="bernoulli")
    says = r"interpolator: expected one with a path .*, got kind='bernoulli'"
    with pytest.raises(ValueError, match=says):
        AlphaSmoothness(encoder, decoder, interpolator=jumps)
    with pytest.raises(ValueError, match=says):  # before any network is called
        jumps + AlphaSmoothness(encoder, decoder)


def test_an_unknown_method_is_named(pair: Zoo) -> None:
    with pytest.raises(ValueError, match=r"method: .* one of 'auto', 'forward', 'double-backward', 'finite'"):
        AlphaSmoothness(pair.encoder, pair.decoder, method="jvp")
