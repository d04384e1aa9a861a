"""Arguments that would have no effect are refused, and those that contradict each other, where something is made."""

from collections.abc import Callable

import pytest
import torch
from calls import calls
from torch import Tensor, nn
from wrapped import variational
from zoo import Zoo, vector_pair

import interpreg as ip
from interpreg import Interpolator, Mix
from interpreg.kernels import Energy
from interpreg.needs import DEFAULT

GENERATOR = torch.Generator()


def zeros(z: Tensor) -> Tensor:
    return torch.zeros_like(z)


INTERPOLATORS: list[tuple[dict[str, object], str]] = [
    ({"prior": zeros}, "prior: expected None with pairing='reverse', which does not use it, got a function"),
    ({"prior": zeros, "pairing": "permutation"}, "prior: expected None with pairing='permutation'"),
    ({"prior": zeros, "pairing": zeros}, "prior: expected None with pairing=a callable"),
    ({"kind": "linear", "ways": 3}, "ways: expected None with kind='linear', which does not use it, got 3"),
    ({"kind": "spherical", "ways": 2}, "ways: expected None with kind='spherical'"),
    ({"kind": "multidimensional", "ways": 4}, "ways: expected None with kind='multidimensional'"),
    ({"kind": "linear", "grain": "channel"}, "grain: expected None with kind='linear', which does not use it"),
    ({"kind": "spherical", "grain": "element"}, "grain: expected None with kind='spherical'"),
    ({"kind": "convex", "grain": "element"}, "grain: expected None with kind='convex'"),
    ({"kind": "convex", "alpha_range": (0.0, 0.5)}, "alpha_range: expected None with kind='convex', which does not"),
    ({"kind": "bernoulli", "ways": 3, "alpha_range": (0, 1)}, "alpha_range: expected None with kind='bernoulli' of 3"),
    ({"kind": "multidimensional", "shared": True}, "shared: expected False with kind='multidimensional', which does"),
    ({"kind": "convex", "shared": True}, "shared: expected False with kind='convex'"),
    ({"kind": "bernoulli", "ways": 3, "shared": True}, "shared: expected False with kind='bernoulli' of 3 ways"),
    ({"grid": 3, "shared": True}, "shared: expected False with a grid, which does not use it, got True"),
    ({"grid": 3, "generator": GENERATOR}, "generator: expected None with a grid and partners that are not drawn"),
    ({"grid": 3, "pairing": "prior", "prior": zeros, "generator": GENERATOR}, "generator: expected None with a grid"),
]  # fmt: skip


@pytest.mark.fault(
    "Arguments",
    "An argument that has no effect beside the others is taken: a prior without pairing='prior', ways= of a linear "
    "mix, a target of an L1 penalty, samples of a closed form.",
    now="an error when the object is made, which says beside what the argument has no effect",
)
@pytest.mark.parametrize(("arguments", "message"), INTERPOLATORS)
def test_of_interpolators(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Interpolator(**arguments)


def test_what_an_interpolator_uses_is_taken() -> None:
    generator = torch.Generator()
    for arguments in (
        {"pairing": "prior", "prior": zeros}, {"kind": "convex", "ways": 2, "generator": generator},
        {"kind": "bernoulli", "ways": 2, "alpha_range": (0, 1), "shared": True, "grain": "element"},
        {"kind": "bernoulli", "ways": 3, "grain": "channel"}, {"kind": "spherical", "shared": True},
        {"kind": "multidimensional", "grain": "channel"}, {"grid": 3, "pairing": "permutation", "generator": generator},
        {"grid": 3, "pairing": "prior", "generator": generator},
    ):  # fmt: skip
        Interpolator(**arguments)


def uniform(n: int) -> Tensor:
    return torch.rand(n, 4)


Make = Callable[[nn.Module, nn.Module], object]
TERMS: list[tuple[Make, str]] = [
    (lambda e, d: ip.MMDPrior(e, d, samples=64), "samples: expected None with a closed form"),
    (lambda e, d: ip.MMDPrior(e, d, generator=GENERATOR), "generator: expected None with a closed form"),
    (lambda e, d: ip.MMDPrior(e, d, slices=64), "slices: expected None with estimator='unbiased'"),
    (lambda e, d: ip.MMDPrior(e, d, sync="local", group=object()), "group: expected None with sync='local'"),
    (lambda e, d: ip.MMDPrior(e, d, estimator="linear", backend="tiled"), "backend: expected 'auto' with estimator="),
    (lambda e, d: ip.MMDPrior(e, d, prior=uniform, generator=GENERATOR), "generator: expected None with a sampler of"),
    (lambda e, d: ip.SinkhornPrior(e, d, prior=uniform, generator=GENERATOR), "generator: expected None with a"),
    (lambda e, d: ip.LatentCritic(e, d, prior=uniform, generator=GENERATOR), "generator: expected None with a"),
    (lambda e, d: ip.AAERegularizer(e, d, prior=uniform, generator=GENERATOR), "generator: expected None with a"),
    (lambda e, d: ip.WAERegularizer(e, d, samples=64), "samples: expected None with a closed form"),
    (lambda e, d: ip.Sparsity(e, d, target=0.1), "target: expected None with penalty='l1', which does not use it, got"),
    (lambda e, d: ip.SparseRegularizer(e, d, penalty="l1", target=0.1), "target: expected None with penalty='l1'"),
    (lambda e, d: ip.Denoising(e, d, std=0.5, corrupt=zeros), "std: expected None with a corruption of your own"),
    (lambda e, d: ip.DenoisingRegularizer(e, d, corrupt=zeros, generator=GENERATOR), "generator: expected None with a"),
    (lambda e, d: ip.DenoisingBottleneck(e, 0.5, zeros), "std: expected None with a corruption of your own"),
    (lambda e, d: ip.GaussianBottleneck(e, heads=(e, e), axis=-1), "axis: expected None with heads"),
    (lambda e, d: ip.VectorQuantizer(e, quantizer=e, codebook_size=8), "codebook_size: expected None with a quantizer"),
    (lambda e, d: ip.AMRRegularizer(e, d, reconstruction=None, reconstruction_weight=3.0), "reconstruction_weight: "),
    (lambda e, d: ip.MIAERegularizer(e, d, preset="published", gamma=0.5), "preset: expected None with gamma="),
    (lambda e, d: ip.VAERegularizer(variational(e), d, preset="published", reconstruction="l1"), "preset: expected"),
    (lambda e, d: ip.VQVAERegularizer(e, d, preset="published", weight=1.0), "preset: expected None with a weight"),
    (lambda e, d: ip.LRAERegularizer(e, d, interpolator=Interpolator(), generator=GENERATOR), "generator: expected"),
    (lambda e, d: ip.MIDRAERegularizer(e, d, interpolator=Interpolator()), "interpolator: expected one of kind='multi"),
    (lambda e, d: ip.WAERegularizer(e, d, divergence="sinkhorn", kernel=Energy()), "kernel: expected None beside"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), TERMS)
def test_of_terms_bottlenecks_and_recipes(make: Make, message: str) -> None:
    encoder, decoder, _ = vector_pair()
    with pytest.raises(ValueError, match=f"^{message}"):
        make(encoder, decoder)


def test_what_a_recipe_shares_between_draws_is_used(pair: Zoo) -> None:
    """A generator draws coefficients even where the prior, a sampler of the user's, draws its own numbers."""
    encoder, decoder, x = pair
    make = torch.Generator().manual_seed
    for kind in (ip.MIDRAERegularizer, ip.LRAERegularizer, ip.DualCritic):
        losses = kind(encoder, decoder, prior=uniform, generator=make(3))(x)
        assert all(loss.isfinite() for loss in losses.values())
    with pytest.raises(TypeError, match="unexpected keyword argument 'loss'"):
        ip.MIDRAERegularizer(encoder, decoder, loss="hinge")


@pytest.mark.fault(
    "Arguments",
    "A critic that regresses coefficients gets some of 1: the same image, a reconstruction, has the targets 0 and 1.",
    now="an error when the critic or the sum is made",
)
@pytest.mark.parametrize("kind", ["linear", "spherical", "multidimensional", "bernoulli"])
def test_coefficients_of_1_are_not_regressed(kind: str, pair: Zoo) -> None:
    encoder, decoder, _ = pair
    whole = Interpolator(kind=kind, alpha_range=(0.0, 1.0))
    message = r"interpolator: expected an alpha_range below 1 with loss='regression', got \(0.0, 1.0\)"
    for make in (
        lambda: ip.Critic(encoder, decoder, interpolator=whole),
        lambda: ip.ACAIRegularizer(encoder, decoder, interpolator=whole),
        lambda: ip.Critic(encoder, decoder) + whole,
        lambda: sum([whole, ip.Reconstruction(encoder, decoder), ip.Critic(encoder, decoder)]),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    ip.Critic(encoder, decoder, interpolator=whole, loss="bce")
    ip.Critic(encoder, decoder, loss="hinge") + whole
    ip.Critic(encoder, decoder, interpolator=Interpolator(kind="convex"))  # 1 - the largest weight is 1/2 at most
    ip.MIDRAERegularizer(encoder, decoder, preset="published")  # as its docstring says


@pytest.mark.parametrize("follower", [ip.CycleConsistency, ip.AlphaSmoothness])
def test_a_term_beside_two_ways_to_mix_must_say_which_it_follows(follower: type, pair: Zoo) -> None:
    encoder, decoder, x = pair
    encoded = calls(encoder)
    games = ip.ACAIRegularizer(encoder, decoder) + ip.AEAIRegularizer(encoder, decoder)
    alone = follower(encoder, decoder)
    with pytest.raises(
        ValueError, match=r"interpolator: expected one that all other parts use, for a part that names"
    ):
        (games + alone)(x)
    assert not encoded
    added = games + alone + Interpolator(kind="spherical")
    assert all(loss.isfinite() for loss in added(x).values())
    strategy = Interpolator()
    named = games + follower(encoder, decoder, interpolator=strategy)
    assert named.plan().followed is DEFAULT  # which nobody follows
    same = ip.Critic(encoder, decoder, interpolator=strategy) + ip.Critic(
        encoder, decoder, interpolator=Interpolator()
    )
    assert (same + alone).plan().followed is strategy


class Halfway:
    """A mixer of the user's own."""

    def __init__(self, wrap: Callable[[Mix], object] = lambda mixed: mixed) -> None:
        self.wrap = wrap

    def check_batch(self, size: int) -> None:
        """Accept any size."""

    def mixed(self, batch: ip.Batch) -> object:
        z = batch.z
        half = torch.full((1,) * z.ndim, 0.5)
        return self.wrap(Mix((z + z.flip(0)) / 2, half, z.flip(0)))


@pytest.mark.parametrize("kind", [
    ip.Critic, ip.CycleConsistency, ip.AutoencodingCritic, ip.ACAIRegularizer, ip.AMRRegularizer, ip.GAIARegularizer,
    ip.LRAERegularizer,
])  # fmt: skip
def test_a_mixer_of_ones_own_is_an_interpolator_where_codes_are_mixed(kind: type, pair: Zoo) -> None:
    encoder, decoder, x = pair
    assert all(loss.isfinite() for loss in kind(encoder, decoder, interpolator=Halfway())(x).values())
    with pytest.raises(
        TypeError, match=r"mixer: expected an interpreg.Mix .* from mixed\(\), got a torch.float32"
    ):
        kind(encoder, decoder, interpolator=Halfway(lambda mixed: mixed.z_mix))(x)


@pytest.mark.parametrize("kind", [ip.AlphaSmoothness, ip.AEAIRegularizer, ip.MIAERegularizer, ip.DualCritic])
def test_a_mixer_of_ones_own_has_no_path_and_no_kind(kind: type, pair: Zoo) -> None:
    with pytest.raises(TypeError, match=r"^interpolator: expected an Interpolator, got a Halfway"):
        kind(pair.encoder, pair.decoder, interpolator=Halfway())


def test_a_derivative_of_ones_own_must_return_two_tensors(pair: Zoo) -> None:
    encoder, decoder, x = pair

    class Single:
        method = "single"

        def __call__(self, decode: Callable, z: Tensor, direction: Tensor, mask: object) -> Tensor:
            return decode(z)

    class Speed(ip.Regularizer):
        name = "speed"

        def needs(self) -> list[object]:
            return [ip.Decode(derivative=Single())]

        def terms(self, batch: ip.Batch) -> dict[str, ip.Term]:
            return {"speed": ip.Term(batch.derivative().mean(), 1.0)}

    with pytest.raises(
        TypeError, match=r"derivative: expected two tensors from it, .* got a torch.float32 tensor"
    ):
        Speed(encoder, decoder)(x)
