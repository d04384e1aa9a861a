"""The demonstration from the command line: the table, the picture, interruptions and errors."""

import json
import math
from pathlib import Path

import pytest
import torch

from interpreg.__main__ import main
from interpreg.demo import command, tasks, training
from interpreg.report import Metric, Report


@pytest.mark.parametrize("data", ["digits", "lines"])
def test_trains_both_prints_a_table_and_draws(data: str, tmp_path: Path, capsys) -> None:
    assert main(["demo", "--data", data, "--steps", "30", "--threads", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    folder = tmp_path / f"{data}-seed0"
    assert "plain       ACAI cross-fade    better" in printed
    for name in ("reconstruction error", "mean distance", "linear probe accuracy", "clustering accuracy"):
        assert f"\n{name} " in printed
    assert ("\nsmoothness " in printed) == (data == "lines")
    assert f"Picture: {folder / 'interpolations.png'}" in printed
    assert (folder / "interpolations.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("*.partial"))
    numbers = json.loads((folder / "acai.json").read_text())
    error = next(m["value"] for m in numbers["metrics"] if m["key"] == "reconstruction_error")
    (row,) = [line for line in printed.splitlines() if line.startswith("reconstruction error ")]
    assert f"{error:.4f}" in row
    history = torch.load(folder / "acai.pt", weights_only=True)["history"]
    assert history[0].keys() > {"step", "interpolation", "critic/interpolation"}

    assert main(["report", str(folder / "acai.pt")]) == 0  # the page has the numbers of the table
    assert f"acai on {data}\n" in capsys.readouterr().out
    page = json.loads((folder / "acai-report" / "report.json").read_text())
    assert page["metrics"] == numbers["metrics"]


def test_interrupting_leaves_no_picture_and_says_how_to_go_on(tmp_path: Path, monkeypatch, capsys) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "interpolation_rows", interrupt)
    assert main(["demo", "--steps", "2", "--threads", "1", "--out", str(tmp_path)]) == 130
    assert "interrupted; the same command resumes" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.png*"))


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.lines_task(0, 1)
    runs = [training.start("plain", task.settings)]
    path = tmp_path / "picture.png"
    path.write_bytes(b"the last good one")

    def fail(self: object, *arguments: object, **options: object) -> None:
        Path(arguments[0]).write_bytes(b"half a pic")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(KeyboardInterrupt):
        command.picture(runs, task.held_out.images, path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"the last good one", [path])


def test_the_table_names_the_better_method_unless_tied_or_undefined() -> None:
    values = {  # by key: the best value, plain and ACAI
        "reconstruction_error": ("0", 1.0, 2.0),
        "linear_probe": ("1", 0.5, 0.6),
        "detour": ("0", 2.0, 2.0),
        "smoothness": ("0", math.nan, 1.0),
        "smoothness_paper": ("0", None, None),
        "monotonicity": ("1", 1.0, 0.0),  # not in the table
    }
    reports = {
        method: Report(
            method,
            tuple(
                Metric("g", key, key, row[1 + i], row[0], baseline=0.25, undefined="-")
                for key, row in values.items()
            ),
            {}, None, (),
        )
        for i, method in enumerate(("plain", "ACAI"))
    }  # fmt: skip
    rows = {line.split()[0]: line.split()[1:] for line in command.table(reports).splitlines()}
    assert rows == {
        "plain": ["ACAI", "cross-fade", "better"],
        "reconstruction_error": ["1.0000", "2.0000", "0.2500", "plain"],
        "smoothness": ["undefined", "1.0000", "0.2500", "-"],
        "smoothness_paper": ["undefined", "undefined", "0.2500", "-"],
        "detour": ["2.0000", "2.0000", "0.2500", "-"],
        "linear_probe": ["0.5000", "0.6000", "0.2500", "ACAI"],
    }


@pytest.mark.parametrize(("arguments", "message"), [
    (["--data", "faces"], "invalid choice: 'faces'"),
    (["--steps", "0"], "expected a whole number of at least 1, got '0'"),
    (["--steps", "many"], "expected a whole number of at least 1, got 'many'"),
])  # fmt: skip
def test_bad_arguments_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", *arguments])
    assert message in capsys.readouterr().err


def test_a_missing_extra_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    expected = "error: the demo needs sklearn, which is not installed: pip install 'interpreg[demo]'\n"
    assert capsys.readouterr().err == expected


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("error: [Errno")
