"""The contract that every public function of tensors keeps."""

import pytest
import torch
from functions import CASES, Case, arguments
from torch import Tensor

from interpreg import functional


class Meta(Tensor):
    """A tensor with data about data, as medical images have."""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def value(case: Case, tensors: list[Tensor]) -> Tensor:
    torch.manual_seed(5)
    return case.function(*tensors)


def test_every_public_function_is_here() -> None:
    assert {name.split()[0] for name in CASES} == set(functional.__all__)


def test_half_precision_is_reduced_in_single(case: Case) -> None:
    exact = arguments(case, torch.float64)
    result = value(case, [e.bfloat16() for e in exact])
    assert result.dtype == (torch.float32 if case.is_loss else torch.bfloat16)
    if not case.is_exact:
        return
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if case.is_loss else {"rtol": 0.01, "atol": 0.02}
    torch.testing.assert_close(result.double(), value(case, exact), **tolerance)


def test_gradients_are_those_of_the_value(case: Case) -> None:
    if not case.has_gradient:
        pytest.skip("a weight, without a gradient")
    tensors = [t.requires_grad_() for t in arguments(case, torch.float64)]
    assert torch.autograd.gradcheck(lambda *given: value(case, list(given)), tensors)


def test_memory_of_any_layout_is_read_right(case: Case) -> None:
    tensors = arguments(case, torch.float64)
    strided = [torch.stack([t, torch.full_like(t, torch.nan)], -1)[..., 0] for t in tensors]
    assert all(not s.is_contiguous() for s in strided if s.ndim)
    torch.testing.assert_close(value(case, strided), value(case, tensors))


def test_subclasses_of_tensors_are_tensors(case: Case) -> None:
    tensors = arguments(case, torch.float32)
    torch.testing.assert_close(
        value(case, [t.as_subclass(Meta) for t in tensors]).as_subclass(Tensor), value(case, tensors)
    )


def test_inference_mode_is_no_grad(case: Case) -> None:
    tensors = arguments(case, torch.float32)
    with torch.no_grad():
        expected = value(case, tensors)
    with torch.inference_mode():
        torch.testing.assert_close(value(case, arguments_like(tensors)), expected)


def arguments_like(tensors: list[Tensor]) -> list[Tensor]:
    """The same values, made in inference mode."""
    return [t.clone() for t in tensors]


def test_compiles_whole(case: Case) -> None:
    if not case.has_gradient:
        pytest.skip("measures gradients, which cannot be traced")
    tensors = arguments(case, torch.float32)
    compiled = torch.compile(case.function, fullgraph=True, backend="eager")
    torch.manual_seed(5)
    torch.testing.assert_close(compiled(*tensors), value(case, tensors))


def test_what_is_no_tensor_is_named(case: Case) -> None:
    tensors = arguments(case, torch.float32)
    for i in range(len(tensors)):
        for wrong in ([[1.0, 2.0]], None, "codes", tensors[i].long()):
            with pytest.raises((TypeError, ValueError), match=r"^[\w ]+: expected .* got "):
                case.function(*tensors[:i], wrong, *tensors[i + 1 :])
