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
    "generator": (42, "generator: expected a torch.Generator or None, got 42; give torch.Generator"),
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


INSTANCES: dict[str, object] = {  # classes where an instance belongs
    "encoder": torch.nn.Linear, "decoder": torch.nn.Linear, "critic": torch.nn.Linear, "interpolator": Interpolator,
    "prior": interpreg.priors.Normal, "kernel": interpreg.kernels.RBF, "reconstruction": torch.nn.L1Loss,
    "generator": torch.Generator, "corrupt": torch.nn.Dropout, "loss": torch.nn.L1Loss,
}  # fmt: skip


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


@pytest.mark.fault(
    "Arguments", "A class is given for its instance, as `loss=nn.L1Loss`, or a seed for a generator.",
    now="`TypeError` or `ValueError` from the constructor",
)  # fmt: skip
@pytest.mark.parametrize(("kind", "name"), arguments(*INSTANCES))
def test_a_class_in_the_place_of_an_instance_is_named(kind: str, name: str) -> None:
    given = INSTANCES[name]
    with pytest.raises(
        (TypeError, ValueError), match=rf"^({name}|.*loss): expected .*got the class {given.__name__}"
    ):
        make(kind, **{name: given})


MODULES = {
    "Interpolator": lambda **given: Interpolator(**given),
    "GaussianBottleneck": lambda **given: interpreg.GaussianBottleneck(torch.nn.Linear(4, 4), **given),
    "dense": lambda **given: interpreg.GaussianBottleneck.dense(torch.nn.Linear(4, 4), (4,), **given),
    "DropoutBottleneck": lambda **given: interpreg.DropoutBottleneck(torch.nn.Linear(4, 4), **given),
    "DenoisingBottleneck": lambda **given: interpreg.DenoisingBottleneck(torch.nn.Linear(4, 4), **given),
}


@pytest.mark.parametrize("kind", MODULES)
def test_a_seed_is_no_generator(kind: str) -> None:
    with pytest.raises(TypeError, match=r"^generator: expected a torch.Generator or None, got 42; give torch.Gen"):
        MODULES[kind](generator=42)


@pytest.mark.parametrize(("given", "message"), [
    ({"pairing": torch.nn.Identity}, "pairing: expected a name or a callable of the codes, got the class Identity"),
    ({"pairing": "prior", "prior": 5}, "prior: expected a callable of the codes, got 5"),
    ({"pairing": "prior", "prior": torch.nn.Identity}, r"prior: .* got the class Identity; give an instance"),
    ({"shared": "no"}, "shared: expected True or False, got 'no'"),
])  # fmt: skip
def test_callables_and_flags_of_an_interpolator_are_checked(given: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}"):
        Interpolator(**given)


WEIGHTS_OF_RECIPES = {"weight", "critic_weight"}


def fixed() -> list[tuple[str, str]]:
    """The arguments of all constructors but weights, which may be assigned to terms."""
    return [
        (kind, name)
        for kind, constructor in (CLASSES | {"Interpolator": Interpolator}).items()
        if kind not in ABSTRACT
        for name in inspect.signature(constructor).parameters
        if not name.endswith("weight")
    ]


@pytest.mark.fault(
    "Arguments", "An option is assigned after construction, `reg.gamma = 5`.",
    now="`AttributeError`, nothing is changed; weights may be assigned",
)  # fmt: skip
@pytest.mark.parametrize(("kind", "name"), fixed())
def test_what_was_configured_is_not_assigned_again(kind: str, name: str) -> None:
    reg = Interpolator() if kind == "Interpolator" else make(kind)
    before = vars(reg).copy()
    for change in (lambda: setattr(reg, name, 5), lambda: delattr(reg, name)):
        with pytest.raises(AttributeError, match=rf"^{name}: expected"):
            change()
    assert vars(reg) == before


@pytest.mark.parametrize("name", sorted(WEIGHTS_OF_RECIPES))
def test_weights_are_assigned_to_terms_and_not_to_recipes(name: str) -> None:
    reg = make("ACAIRegularizer")
    with pytest.raises(AttributeError, match=rf"^{name}: expected no assignment .*; assign weights to its parts"):
        setattr(reg, name, 0.1)
    setattr(reg.game, name, 0.1)
    assert getattr(reg.game, name) == 0.1


def test_bottlenecks_keep_their_options(x: torch.Tensor) -> None:
    dropout, denoising = MODULES["DropoutBottleneck"](), MODULES["DenoisingBottleneck"]()
    with pytest.raises(
        AttributeError, match=r"^p: expected no assignment after DropoutBottleneck was made, got 5"
    ):
        dropout.p = 5
    with pytest.raises(AttributeError, match=r"^std: expected no assignment after Corruption was made"):
        denoising.corruption.std = -1
    dropout.network = torch.nn.Identity()  # layers may be replaced
    assert torch.equal(dropout.eval()(x), x)


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
