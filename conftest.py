"""Before anything else imports Triton: without a GPU its kernels run in its interpreter, which it has to know."""

import importlib
import importlib.util

import pytest
import torch

collect_ignore = []
if importlib.util.find_spec("triton") is None:
    collect_ignore.append("src/interpreg/mmd/triton_kernels.py")
elif not torch.cuda.is_available():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        importlib.import_module("interpreg.mmd.triton_kernels")


@pytest.fixture(autouse=True)
def torch_in_doctests(doctest_namespace: dict[str, object]) -> None:
    """Docstring examples may use torch where their module does not import it."""
    doctest_namespace["torch"] = torch
