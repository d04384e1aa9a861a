"""Every data set by its name."""

import pytest
import torch
from original_files import mnist_files, write

from interpreg import datasets
from interpreg.datasets import digits, lines, pole, stripes


@pytest.mark.parametrize(("name", "module"), [("lines", lines), ("stripes", stripes), ("pole", pole)])
def test_generated_sets_are_drawn_from_the_generator(name: str, module) -> None:
    drawn = datasets.named(name, n=5, generator=torch.Generator().manual_seed(3), size=16)
    expected = module.sample(5, 16, generator=torch.Generator().manual_seed(3))
    assert torch.equal(drawn.images, expected.images)
    assert torch.equal(drawn.parameters, expected.parameters)
    other = datasets.named(name, n=5, generator=torch.Generator().manual_seed(4), size=16)
    assert not torch.equal(other.images, drawn.images)
    assert other.images.shape == (5, 1, 16, 16)


def test_without_a_number_the_papers_sets() -> None:
    assert torch.equal(datasets.named("pole", size=8).images, pole.paper_set(8).images)
    assert len(datasets.named("stripes", size=4)) == len(datasets.named("lines", size=4)) == 10_000


def test_digits_and_their_parts() -> None:
    for split in ("train", "test"):
        assert torch.equal(datasets.named("digits", split=split).images, digits.load(split).images)
    assert len(datasets.named("digits")) == 1415


def test_official_files(tmp_path) -> None:
    write(tmp_path, mnist_files(3, "t10k"))
    read = datasets.named("mnist", tmp_path, "test", size=32, checksum=False)
    assert read.images.shape == (3, 1, 32, 32)


@pytest.mark.parametrize(("arguments", "message"), [
    (("imagenet",), r"name: expected one of 'lines', .*, got 'imagenet'"),
    (("mnist",), "path: expected the place of mnist's official files, got None"),
    (("lines", "x"), "path: expected None, lines needs no files"),
    (("digits", "x"), "path: expected None, digits needs no files"),
    (("pole", None, "test"), "split: expected None, pole has no splits, got 'test'"),
    (("digits", None, "valid"), "split: expected one of 'train', 'test', None, got 'valid'"),
])  # fmt: skip
def test_bad_input_is_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.named(*arguments)


@pytest.mark.fault(
    "Arguments",
    "`named('digits', n=10)`, `named('pole', generator=g)`: an argument that does not apply to the data set.",
    now="`ValueError`; it was ignored",
)
@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("digits", {"n": 10}, "n: expected None, digits is not generated, got 10"),
    ("digits", {"generator": torch.Generator()}, "generator: expected None, digits is not generated"),
    ("mnist", {"path": "x", "n": 10}, "n: expected None, mnist is not generated"),
    ("pole", {"generator": torch.Generator()}, "generator: expected None, the paper's set of pole is not random"),
])  # fmt: skip
def test_arguments_that_do_not_apply_are_refused(name: str, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.named(name, **arguments)


def test_digits_take_no_options() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        datasets.named("digits", size=16)
