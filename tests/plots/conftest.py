"""No figure outlives its test, and no function opens one when it is given axes."""

from collections.abc import Iterator

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

pyplot.switch_backend("agg")


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture
def axes() -> Axes:
    return pyplot.subplots()[1]
