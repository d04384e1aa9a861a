"""Samples in memory: images, labels and parameters are indexed together, and mismatches are refused."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset, random_split

from interpreg.datasets import Samples, lines, pole, stripes

BYTES = torch.arange(24, dtype=torch.uint8).view(6, 1, 2, 2) * 10
LABELS = torch.arange(6)
ANGLES = torch.arange(6.0)[:, None] * 60


def things() -> Samples:
    return Samples(BYTES, LABELS, ANGLES, (360.0,), ("angle (degrees)",), "things")


@pytest.mark.parametrize("chosen", [slice(1, 5, 2), [1, 3], torch.tensor([1, 3]), (LABELS == 1) | (LABELS == 3)])
def test_choosing_keeps_labels_and_parameters(chosen) -> None:
    some = things()[chosen]
    assert len(some) == 2
    assert torch.equal(some.images, BYTES[[1, 3]])
    assert (some.labels.tolist(), some.parameters.tolist()) == ([1, 3], [[60.0], [180.0]])
    assert (some.period, some.units, some.name) == ((360.0,), ("angle (degrees)",), "things")
    assert Samples(BYTES)[chosen].labels is None


def test_bytes_are_scaled_to_the_papers_range() -> None:
    images = Samples(torch.tensor([0, 51, 127, 255], dtype=torch.uint8).view(1, 1, 2, 2))
    assert images.scaled().flatten().tolist() == pytest.approx([-1, -0.6, 127 * 2 / 255 - 1, 1], abs=1e-6)
    assert images.scaled(torch.float64).dtype == torch.float64
    assert images.images.max() == 255  # they themselves stay
    floats = torch.rand(2, 1, 2, 2)
    assert torch.equal(Samples(floats).scaled(), floats)


def test_draws_are_uniform_with_replacement_and_the_generators() -> None:
    images = things()
    drawn = images.draw(6000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, images.draw(6000, torch.Generator().manual_seed(0)))
    which = (drawn[:, 0, 0, 0] + 1) * 255 / 2 / 40
    counts = which.round().long().bincount(minlength=6)
    assert counts.sum() == 6000
    assert counts.min() > 880  # 1,000 each, four standard deviations of 29
    assert counts.max() < 1120
    assert images.draw(3).shape == (3, 1, 2, 2)
    with pytest.raises(ValueError, match="n: expected an int of at least 1, got 0"):
        images.draw(0)


@pytest.mark.parametrize(("arguments", "message"), [
    ((BYTES.long(),), "images: expected a uint8 or floating point tensor"),
    ((BYTES[:, 0, 0, 0],), r"images: expected shape \[n, \.\.\.\]"),
    ((3,), "images: expected a uint8 or floating point tensor, got 3"),
    ((BYTES, LABELS[:5]), r"labels: expected whole numbers of shape \[6\]"),
    ((BYTES, LABELS.float()), r"labels: expected whole numbers of shape \[6\]"),
    ((BYTES, None, ANGLES[:5], (360.0,), ("a",)), r"parameters: expected shape \[6, k\]"),
    ((BYTES, None, ANGLES.long(), (360.0,), ("a",)), "parameters: expected a floating point tensor"),
    ((BYTES, None, ANGLES, (), ("a",)), "period: expected one for each of 1 parameters"),
    ((BYTES, None, ANGLES, (360.0,), ()), "units: expected one for each of 1 parameters"),
])  # fmt: skip
def test_bad_input_is_named(arguments: tuple, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Samples(*arguments)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4, 4)])
def test_samples_of_any_rank(shape: tuple[int, ...]) -> None:
    data = Samples(torch.rand(6, *shape), LABELS)
    assert (data[1:3].images.shape, data.draw(9).shape) == ((2, *shape), (9, *shape))


@pytest.mark.fault(
    "Data",
    "`DataLoader(pole.paper_set())`: samples look like a `Dataset` of torch's and were none.",
    now="they are one: batches `x`, or `(x, labels)`, in [-1, 1]",
)
@pytest.mark.parametrize("labelled", [False, True])
def test_samples_are_a_dataset_of_torchs(labelled: bool) -> None:
    data = Samples(BYTES, LABELS if labelled else None)
    expected = BYTES.float() / 127.5 - 1
    batch = next(iter(DataLoader(data, batch_size=4)))
    x = batch[0] if labelled else batch
    torch.testing.assert_close(x, expected[:4])
    if labelled:
        assert batch[1].tolist() == [0, 1, 2, 3]
    parts = random_split(data, [4, 2], torch.Generator().manual_seed(0))
    for dataset in (parts[0], ConcatDataset([data, data]), data + data, Subset(data, torch.tensor([5, 0]))):
        items = [dataset[i] for i in range(len(dataset))]
        images = torch.stack([item[0] if labelled else item for item in items])
        assert images.dtype == torch.float32
        assert all(any(torch.equal(image, each) for each in data.scaled()) for image in images)
    assert len(list(data)) == 6  # iteration ends
    last = data[np.int64(-1)]
    torch.testing.assert_close(last[0] if labelled else last, expected[5])


@pytest.mark.parametrize(("rows", "error"), [
    (6, IndexError), (-7, IndexError), (1.5, TypeError), ("a", TypeError), (torch.tensor([0.5]), TypeError),
    ((slice(1), 0), TypeError), (torch.zeros(2, 2, dtype=torch.long), TypeError),
])  # fmt: skip
def test_rows_that_are_none_are_named(rows: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="samples: expected an"):
        things()[rows]
    assert len(things()[[]]) == 0


@pytest.mark.fault(
    "Data",
    "Images of 16 bits, wide integers or booleans are scaled as if they had 8 bits (Nerogar/mgds#55).",
    now="`TypeError` with the expression that brings them to [-1, 1]",
)
@pytest.mark.parametrize(("images", "line"), [
    (torch.tensor([[0, 65535]], dtype=torch.uint16), "x.float() / 32767.5 - 1"),
    (torch.tensor([[0, 4000]], dtype=torch.uint16), "x.float() / 2047.5 - 1"),
    (torch.tensor([[0, 30_000]], dtype=torch.int16), "x.float() / 32767.5 - 1"),
    (torch.tensor([[0, 254]]), "x.float() / 127.5 - 1"),
    (torch.tensor([[False, True]]), "2 * x.float() - 1"),
    (torch.tensor([[-1000, 3000]], dtype=torch.int16), "2 * (x.float() - -1000) / 4000 - 1"),
])  # fmt: skip
def test_other_integers_are_refused_with_the_line_that_mends_them(images: torch.Tensor, line: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"; give {line}")):
        Samples(images)
    mended = eval(line, {"x": images})
    assert mended.min() == -1
    assert mended.max() <= 1
    Samples(mended)


@pytest.mark.parametrize("draw", [
    lambda g: things().draw(2, g),
    lambda g: lines.sample(2, 8, generator=g),
    lambda g: stripes.sample(2, 8, generator=g),
    lambda g: pole.sample(2, 8, generator=g),
])  # fmt: skip
def test_a_seed_is_no_generator(draw) -> None:
    with pytest.raises(
        TypeError, match=r"generator: expected a torch.Generator or None, got 42; give torch.Generator"
    ):
        draw(42)
    draw(torch.Generator().manual_seed(42))
