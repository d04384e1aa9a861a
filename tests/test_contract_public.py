"""Everything public is in a contract, or says which test file is about it."""

import dataclasses
import inspect
from pathlib import Path

import pytest
from everyone import REGULARIZERS
from functions import CASES
from zoo import convolutional_pair

import interpreg
from interpreg import Regularizer, datasets, functional, kernels, metrics, plots, priors, report

TESTS = Path(__file__).parent
ABSTRACT = {"Regularizer", "Adversary", "Sum"}  # their subclasses are in the contract
ABOUT = {  # what is no regularizer, and where it is tested
    "Adaptive": "regularizers/test_evaluation.py", "AtLeast": "regularizers/test_plan.py", "Batch": "test_batch.py",
 "Decode": "regularizers/test_plan.py",
    "DenoisingBottleneck": "bottlenecks/test_noise.py", "DropoutBottleneck": "bottlenecks/test_noise.py",
    "GaussianBottleneck": "bottlenecks/test_gaussian.py", "Interpolator": "test_interpolator.py",
    "MIDRAE_WEIGHTS": "recipes/test_midrae.py", "Mix": "test_batch.py", "Players": "recipes/test_acai.py",
    "Ramp": "regularizers/test_weights.py", "Term": "regularizers/test_base.py",
    "diagnose": "diagnosis/test_untouched.py",
    "VectorQuantizer": "bottlenecks/test_quantized.py", "Weight": "regularizers/test_weights.py",
    "fresh_copy": "regularizers/test_fresh_copy.py", "latent_network": "regularizers/test_latent_network.py",
    "spectral_norm": "regularizers/test_adversary.py",
}  # fmt: skip
ROOMS = {"datasets": datasets, "kernels": kernels, "metrics": metrics, "plots": plots, "report": report}


def public(module: object) -> list[str]:
    return [name for name in module.__all__ if not isinstance(getattr(module, name), type(functional))]


def is_regularizer(name: str) -> bool:
    value = getattr(interpreg, name)
    return isinstance(value, type) and issubclass(value, Regularizer)


def test_every_regularizer_keeps_the_contract() -> None:
    encoder, decoder, _ = convolutional_pair()
    kept = {type(m).__name__ for make in REGULARIZERS.values() for m in make(encoder, decoder).modules()}
    assert {name for name in public(interpreg) if is_regularizer(name)} - ABSTRACT <= kept


def test_every_public_function_keeps_the_contract() -> None:
    assert {name.split()[0] for name in CASES} == set(functional.__all__)


def test_everything_else_says_where_it_is_tested() -> None:
    rest = {name for name in public(interpreg) if not is_regularizer(name)}
    assert rest - {"interpolation_report"} == set(ABOUT)
    for name, test in ABOUT.items():
        assert name in (TESTS / test).read_text(), f"{test} does not mention {name}"
    assert all(name in (TESTS / "test_priors.py").read_text() for name in public(priors))


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_have_a_test_of_everything(room: str) -> None:
    """Of functions and classes; what functions return is tested by their tests."""
    text = "\n".join(path.read_text() for path in (TESTS / room).rglob("test_*.py"))
    values = {name: getattr(ROOMS[room], name) for name in public(ROOMS[room])}
    made = {n: v for n, v in values.items() if inspect.isfunction(v) or (inspect.isclass(v) and not is_record(v))}
    assert not [name for name in made if name not in text]


def is_record(kind: type) -> bool:
    """Whether a class holds what a function returns; kernels are data classes too, and are made by users."""
    return issubclass(kind, tuple) or (dataclasses.is_dataclass(kind) and not issubclass(kind, kernels.Kernel))
