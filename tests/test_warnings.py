"""Warnings point at the line of whoever called the package, through torch's modules too."""

import inspect

import pytest
import torch
from zoo import vector_pair

from interpreg import Reconstruction


def test_the_line_of_the_user() -> None:
    encoder, decoder, x = vector_pair()
    reg = Reconstruction(encoder, decoder)
    with torch.no_grad():
        z = encoder(x)
    with pytest.warns(UserWarning, match="z: expected codes with a gradient") as caught:
        reg(x, z=z)
    line = inspect.currentframe().f_lineno - 1
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
