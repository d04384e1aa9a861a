"""Arguments that regularizers share are checked by every one of them, in the same words."""

import inspect

import pytest
import torch
from wrapped import quantized, variational
from zoo import vector_pair

import interpreg
from interpreg import Adaptive, Interpolator, Regularizer

ABSTRACT = {"Regularizer", "Adversary", "Sum"}
CLASSES = {
    name: getattr(interpreg, name)
    for name in interpreg.__all__
    if isinstance(getattr(interpreg, name), type) and issubclass(getattr(interpreg, name), Regularizer)
}
BOTTLENECKS = {
    "KLPrior": variational, "VAERegularizer": variational, "Commitment": quantized, "VQVAERegularizer": quantized,
}  # fmt: skip
WRONG: dict[str, tuple[object, str]] = {
    "encoder": (None, "encoder: expected a module or another callable of one tensor, got None"),
    "decoder": (0.5, "decoder: expected a module or another callable of one tensor, got 0.5"),
    "critic": (lambda x: x, "critic: expected an nn.Module to train, got a function"),
    "critic_weight": (Adaptive(at=torch.ones(1)), "critic_weight: expected a number, a 0-dim tensor or a Ramp"),
    "interpolator": ("linear", "interpolator: expected an Interpolator, got 'linear'"),
    "judge": ("max", "judge: expected one of 'mean', 'code', 'logit', got 'max'"),
    "gamma": (1.5, r"gamma: expected a finite number in \[0, 1\], got 1.5"),
    "prior": ("cube", "prior: expected one of 'ball', 'normal', 'sphere', got 'cube'"),
    "kernel": ("rbf", "kernel: expected a Kernel from interpreg.kernels, got 'rbf'"),
    "preset": ("papers", "preset: expected one of None, 'published', 'paper', got 'papers'"),
    "reconstruction": ("mae", "reconstruction loss: expected one of 'mse', 'l1', 'bernoulli', got 'mae'"),
    "noise_range": ((0.5, 0.2), r"alpha_range: expected low < high within \[0, 1\]"),
    "std": (-1, "std: expected a finite number of at least 0, got -1"),
    "p": (-1, "p: expected "),
    "penalty": ("l2", "penalty: expected one of 'l1', 'kl', got 'l2'"),
    "target": (0.0, "target: expected a number strictly between 0 and 1, got 0.0"),
}


def arguments(*names: str) -> list[tuple[str, str]]:
    """Which regularizers take which of the arguments."""
    taken = {name: inspect.signature(kind).parameters for name, kind in CLASSES.items() if name not in ABSTRACT}
    return [(kind, name) for kind, parameters in taken.items() for name in names if name in parameters]


def make(kind: str, **given: object) -> Regularizer:
    encoder, decoder, _ = vector_pair()
    encoder = BOTTLENECKS.get(kind, lambda e: e)(encoder)
    return CLASSES[kind](**{"encoder": encoder, "decoder": decoder} | given)


@pytest.mark.parametrize(("kind", "name"), arguments(*WRONG))
def test_a_wrong_argument_is_named(kind: str, name: str) -> None:
    value, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        make(kind, **{name: value})


WEIGHTS = {p for kind in CLASSES.values() for p in inspect.signature(kind).parameters if p.endswith("weight")}
BESIDE: dict[tuple[str, str], dict[str, object]] = {  # without which a weight has nothing to weigh
    ("Critic", "reconstructed_weight"): {"loss": "bce"},
    ("AutoencodingCritic", "distance_weight"): {"preset": "published"},
    ("GAIARegularizer", "distance_weight"): {"preset": "published"},
}


@pytest.mark.parametrize(("kind", "name"), arguments(*sorted(WEIGHTS)))
def test_a_wrong_weight_is_named(kind: str, name: str) -> None:
    others = BESIDE.get((kind, name), {})
    with pytest.raises(ValueError, match=r"weight: expected a finite number of at least 0, got -1.0$"):
        make(kind, **{name: -1.0}, **others)
    with pytest.raises(TypeError, match=r"weight: expected a number, got '1'$"):
        make(kind, **{name: "1"}, **others)


DRAWING_MORE: dict[str, dict[str, object]] = {  # generators of prior samples as well
    "DualCritic": {}, "LRAERegularizer": {"preset": "published"}, "MIDRAERegularizer": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "kind", [kind for kind, _ in arguments("interpolator") if (kind, "generator") in arguments("generator")]
)
def test_a_generator_beside_an_interpolator_is_refused(kind: str) -> None:
    if kind in DRAWING_MORE:
        mixing = Interpolator(kind="multidimensional")
        make(kind, interpolator=mixing, generator=torch.Generator(), **DRAWING_MORE[kind])
        return
    with pytest.raises(ValueError, match=r"^generator: expected None beside an interpolator, which has a"):
        make(kind, interpolator=Interpolator(), generator=torch.Generator())


DRAWING: dict[str, dict[str, object]] = {
    "MMDPrior": {"closed_form": False},
    "WAERegularizer": {"divergence": "sinkhorn"},
}


@pytest.mark.parametrize("kind", [kind for kind, _ in arguments("generator")])
def test_a_generator_makes_the_draws_the_callers(kind: str, x: torch.Tensor) -> None:
    generator, losses = torch.Generator(), []
    reg = make(kind, generator=generator, **DRAWING.get(kind, {}))
    if hasattr(reg, "critic"):
        reg.critic.eval()  # spectral norms stand still
    reg(x)  # when what is lazy gets its shapes, and methods are tried
    state = torch.get_rng_state()
    for seed in (5, 5, 6):
        generator.manual_seed(seed)
        losses.append({name: loss.item() for name, loss in reg(x).items()})
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(torch.get_rng_state(), state)
