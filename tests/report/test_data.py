"""Held-out samples, and rings of evenly spaced views."""

import pytest
import torch
from turntable import pair, turned

from interpreg.datasets import Samples
from interpreg.report import interpolation_report
from interpreg.report.data import rings, samples, split


def test_the_last_fifth_of_each_class_is_held_out() -> None:
    data = samples("data", torch.arange(30.0)[:, None], torch.arange(30) // 10)
    train, test = split(data)
    assert (test.images.flatten().tolist(), len(train)) == ([8, 9, 18, 19, 28, 29], 24)


@pytest.mark.parametrize(("parameters", "period", "expected"), [
    (torch.arange(0.0, 360, 30)[torch.randperm(12)], 360.0, (12, True, 30.0)),
    (torch.arange(0.0, 180, 30), 360.0, (6, False, 30.0)),
    (torch.arange(0.0, 180, 30), None, (6, False, 30.0)),
    (torch.tensor([0.0, 1, 2, 4]), None, None),
    (torch.rand(12), None, None),
    (torch.zeros(12), None, None),
    (torch.arange(3.0), None, None),
])  # fmt: skip
def test_rings_are_found_where_views_are_evenly_spaced(parameters, period, expected) -> None:
    images = Samples(torch.zeros(len(parameters), 1, 4, 4), None, parameters[:, None], (period,), ("a (degrees)",))
    found = rings(samples("data", images))
    if expected is None:
        assert found is None
        return
    views, closed, step = expected
    assert (found.rows.shape, found.closed, found.unit) == ((1, views), closed, "degrees")
    assert found.step == pytest.approx(step)
    assert (parameters[found.rows[0]].diff() > 0).all()


def test_rings_keep_other_parameters_and_labels_apart() -> None:
    both = torch.cartesian_prod(torch.tensor([45.0, 50]), torch.arange(0.0, 360, 60))
    labels = torch.tensor([0, 1]).repeat_interleave(12)
    images = Samples(torch.zeros(24, 1, 4, 4), labels, both.repeat(2, 1), (None, 360.0), ("elevation", "azimuth"))
    found = rings(samples("data", images))
    assert found.rows.shape == (4, 6)
    for row in found.rows:
        assert len(images.parameters[row, 0].unique()) == len(labels[row].unique()) == 1


@pytest.mark.parametrize("labelled", [False, True])
def test_loaders_and_datasets_are_gathered(labelled: bool) -> None:
    encoder, decoder = pair()
    x, y = torch.rand(50, 1, 16, 16), torch.arange(50) % 3
    dataset = torch.utils.data.TensorDataset(*([x, y] if labelled else [x]))
    loader = torch.utils.data.DataLoader(dataset, batch_size=16)
    given = {"labels": y} if labelled else {}
    whole = interpolation_report(encoder, decoder, x, **given, draw=False)
    for data in (dataset, loader, [x[:20], x[20:]]):
        extra = given if isinstance(data, list) else {}
        found = interpolation_report(encoder, decoder, data, **extra, draw=False)
        assert [m.value for m in found.metrics] == [m.value for m in whole.metrics]
    assert any(m.key == "linear_probe" for m in whole.metrics) == labelled


def test_labels_beside_data_that_has_its_own_are_refused() -> None:
    labels = torch.arange(6) % 2
    with pytest.raises(TypeError, match=r"labels: expected None, because data has its own, got a tensor"):
        samples("data", Samples(torch.zeros(6, 1, 4, 4), labels, None, (), ()), labels)
    with pytest.raises(TypeError, match="labels: expected None, because data has its own, got a"):
        samples("data", [(torch.zeros(6, 3), labels)], labels)


ONE_HOT = torch.eye(3)[torch.tensor([0, 2, 1, 1, 0, 2])]


@pytest.mark.fault(
    "Data",
    "A loader's labels are `[B, 1]`, one-hot, booleans or whole floats.",
    now="they are used as labels; they were dropped without a word",
)
@pytest.mark.parametrize("y", [
    ONE_HOT.argmax(1), ONE_HOT.argmax(1)[:, None], ONE_HOT.argmax(1).float(), ONE_HOT, ONE_HOT.long(), ONE_HOT > 0,
    ONE_HOT.argmax(1).to(torch.uint8),
], ids=str)  # fmt: skip
def test_labels_in_every_form(y: torch.Tensor) -> None:
    x = torch.rand(6, 4)
    dataset = torch.utils.data.TensorDataset(x, y)
    for data in (dataset, torch.utils.data.DataLoader(dataset, batch_size=2), [(x[:5], y[:5]), (x[5:], y[5:])]):
        assert samples("data", data).labels.tolist() == [0, 2, 1, 1, 0, 2]
    assert samples("data", x, y).labels.tolist() == [0, 2, 1, 1, 0, 2]


@pytest.mark.fault(
    "Data",
    "The second entry of a loader's batches is neither labels nor a target: a regression target, masks, texts.",
    now="a warning that it is not used, and how labels look",
)
@pytest.mark.parametrize(("y", "message"), [
    (torch.full((6,), 0.7), "a torch.float32 tensor .* with values such as 0.7"),
    (torch.ones(6, 3), "a torch.float32 tensor"),
    (list("abcabc"), "a list of length 6"),
    ({"age": torch.ones(6)}, "a dict"),
    (torch.ones(6, 2, 2).long(), "a torch.int64 tensor"),
    (torch.tensor([1.0, 2, 3, 4, 5, torch.nan]), "a torch.float32 tensor .* with values such as nan"),
])  # fmt: skip
def test_second_entries_that_are_no_labels_are_said(y: object, message: str) -> None:
    with pytest.warns(UserWarning, match=f"data: the second entries .* not used, {message}.*Give batches"):
        assert samples("data", [(torch.rand(6, 4), y)]).labels is None


def test_targets_like_x_are_no_labels_and_silent() -> None:
    x = torch.rand(6, 1)
    assert samples("data", [(x, x)]).labels is None
    assert samples("data", [(x, torch.ones(6, 1, dtype=torch.long))]).labels is not None


@pytest.mark.parametrize(("batches", "message"), [
    ([torch.rand(2, 3), torch.rand(2, 4)], r"data: expected samples of one shape, \(3,\), got"),
    ([{"image": torch.rand(2, 3)}], r"got a dict; take batch\['image'\]"),
    ("path", "data: expected Samples, a tensor, or batches of tensors, got 'path'"),
    ([torch.zeros(2, 3, dtype=torch.uint8)], r"data: .*got a torch.uint8 .*; give x.float\(\) / 127.5 - 1"),
])  # fmt: skip
def test_batches_that_are_none_are_named(batches: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        samples("data", batches)


def test_a_subset_of_samples_keeps_their_parameters() -> None:
    parts = torch.utils.data.random_split(turned(12), [8, 4], torch.Generator().manual_seed(0))
    for part in parts:
        found = samples("data", part)
        assert torch.equal(found.parameters, turned(12)[part.indices].parameters)
        assert len(found) == len(part)
