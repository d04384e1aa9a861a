"""``python -m interpreg data``, without the main program around it."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from original_files import mnist_files, write
from PIL import Image

from interpreg.datasets import Samples, command

pytest.importorskip("matplotlib").use("Agg")


def run(*words: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(words))


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


@pytest.mark.parametrize(("name", "lines"), [
    ("lines", ["lines: 6 images of 1 x 32 x 32", "values: -1 to 1", "labels: ", "period 6.283"]),
    ("stripes", ["stripes: 6 images of 1 x 32 x 32", "alpha (radians a pixel): 0.", "theta (radians): "]),
    ("pole", ["pole: 6 images of 1 x 64 x 64", "elevation (degrees): ", "period 360"]),
    ("digits", ["digits: 1415 images of 1 x 8 x 8", "labels: 10, with numbers of images: 0: 140, 1: 143"]),
])  # fmt: skip
def test_generated_sets(name: str, lines: list[str], tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(name, "--n", "6")
    printed = capsys.readouterr().out
    for line in lines:
        assert line in printed
    assert f"Picture: data-{name}.png, 6 images" in printed
    drawn = picture(tmp_path / f"data-{name}.png")
    assert min(drawn.shape) > 50
    assert drawn.std() > 5
    run(name, "--n", "6", "--out", "again.png")
    np.testing.assert_array_equal(picture(tmp_path / "again.png"), drawn)
    run(name, "--n", "6", "--out", "other.png", "--seed", "1")
    assert not np.array_equal(picture(tmp_path / "other.png"), drawn)


def test_the_digits_test_part(tmp_path: Path, capsys) -> None:
    run("digits", "--split", "test", "--out", str(tmp_path / "d.png"))
    assert "digits: 382 images" in capsys.readouterr().out


def test_sets_that_are_read(tmp_path: Path, capsys) -> None:
    arrays = {"X": np.arange(24, dtype=np.uint8).repeat(64).reshape(2, 4, 8, 8, 3), "object_id": [3, 8]}
    np.savez(tmp_path / "a.npz", **arrays, angle=[0, 90, 180, 270])
    run("coil100", "--path", str(tmp_path / "a.npz"), "--n", "3", "--out", str(tmp_path / "c.png"))
    printed = capsys.readouterr().out
    for line in (
        "coil100: 8 images of 3 x 8 x 8 pixels (channels, height, width), torch.uint8",
        "values: 0 to 23",
        "labels: 2, 4 images each: 3, 8",
        "angle (degrees): 0 to 270, period 360",
        "c.png, 3 images",
    ):
        assert line in printed
    assert picture(tmp_path / "c.png").size > 0


@pytest.mark.parametrize(("words", "message"), [
    (["mnist"], "path: expected the place of mnist's official files, got None"),
    (["lines", "--path", "x"], "path: expected None, lines needs no files, got 'x'"),
    (["pole", "--split", "test"], "split: expected None, pole has no splits, got 'test'"),
    (["digits", "--split", "valid"], "split: expected one of 'train', 'test', None, got 'valid'"),
    (["mnist", "--path", ".", "--split", "valid"], "split: expected one of 'train', 'test', got 'valid'"),
])  # fmt: skip
def test_bad_options_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(*words)


def test_classes_have_names() -> None:
    labels = torch.tensor([0, 9, 9])
    images = Samples(torch.zeros(3, 1, 28, 28), labels=labels, name="fashion_mnist")
    assert "labels: 2, with numbers of images: 0 T-shirt/top: 1, 9 ankle boot: 2" in command.description(images)
    assert "labels: 2, with numbers of images: 0: 1, 9: 2" in command.description(replace(images, name="mnist"))


def test_a_file_that_is_not_official_leaves_no_picture_unless_asked_to(tmp_path: Path, capsys) -> None:
    words = ["--path", str(write(tmp_path, mnist_files())), "--out", str(tmp_path / "m.png")]
    with pytest.raises(ValueError, match="expected the official train-images-idx3-ubyte of MNIST"):
        run("mnist", *words)
    assert not (tmp_path / "m.png").exists()
    run("mnist", *words, "--no-checksum")
    assert "mnist: 12 images of 1 x 28 x 28" in capsys.readouterr().out
    run("lines", "--n", "2", "--out", str(tmp_path / "l.png"), "--no-checksum")  # which has none


def test_counts_are_counts(capsys) -> None:
    with pytest.raises(SystemExit):
        run("lines", "--n", "0")
    assert "expected a whole number of at least 1, got '0'" in capsys.readouterr().err
