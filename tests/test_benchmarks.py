"""The benchmarks run, tell what they measured, and go on where they were broken off."""

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
TINY = ["--n", "64", "--d", "64", "--threads", "1", "--contestants", "interpreg", "torch", "geomloss", "--modes"]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[list[str]], None]]:
    for module in ("tqdm", "matplotlib"):
        pytest.importorskip(module)
    monkeypatch.syspath_prepend(BENCHMARKS)
    return lambda name: import_module(name).main


def rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="") as file:
        return {(row["contestant"], row["mode"]): row for row in csv.DictReader(file)}


def test_rows_are_measured_once_and_reported_as_they_are(script, tmp_path: Path) -> None:
    raw, table, plot = tmp_path / "rows.csv", tmp_path / "table.md", tmp_path / "speed.png"
    script("mmd_grid")([*TINY, "eval", "train", "--out", str(raw)])
    measured = rows(raw)
    timed = {(c, m) for c in ("interpreg", "torch", "geomloss") for m in ("eval", "train")}
    assert set(measured) == timed | {("roofline", "train")}
    assert all(float(row["value"]) > 0 and row["commit"] and row["device"] for row in measured.values())

    before = raw.read_bytes()
    script("mmd_grid")([*TINY, "eval", "train", "--out", str(raw)])
    assert raw.read_bytes() == before

    script("mmd_report")(["--csv", str(raw), "--table", str(table), "--plot", str(plot)])
    took = {name: float(measured[name, "train"]["value"]) for name in ("interpreg", "torch", "geomloss")}
    peer = min(("torch", "geomloss"), key=took.__getitem__)
    (line,) = [line for line in table.read_text().splitlines() if line.startswith("| 64 | " + peer)]
    shown = [cell.strip(" *") for cell in line.split("|")]
    assert float(shown[3]) == pytest.approx(took[peer] * 1e3, rel=5e-3)
    assert float(shown[5]) == pytest.approx(took[peer] / took["interpreg"], rel=5e-3)
    assert ("**" in line) == (took[peer] < took["interpreg"])
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_memory_is_measured_in_a_process_of_its_own(script, tmp_path: Path) -> None:
    raw = tmp_path / "rows.csv"
    tiny = ["--n", "1024", "--d", "2", "--threads", "1", "--contestants", "torch", "--modes", "memory"]
    script("mmd_grid")([*tiny, "--out", str(raw)])
    held = float(rows(raw)["torch", "memory"]["value"])
    assert 1024**2 * 4 < held < 30 * 1024**2 * 4  # some matrices of n x n in fp32


def test_what_would_take_too_long_is_skipped_and_says_so(script, tmp_path: Path) -> None:
    ledger, grid = import_module("ledger"), import_module("mmd_grid")
    book = ledger.Ledger(tmp_path / "rows.csv", "a machine")
    small, large = (grid.Cell(1, n, 64, "six", ("train",)) for n in (64, 256))
    book.add(small.key("torch", "train"), 10.0)
    assert grid.reason_to_skip(book, large, "torch", "train", 1) == "would take about 160 s"
    assert grid.reason_to_skip(book, large, "interpreg", "train", 1) == ""
    book.add(small.key("torch ladder", "memory"), 1e9)
    assert grid.reason_to_skip(book, large, "torch ladder", "train", 1) == "would hold about 16 GB"


def test_the_gate_is_shut_for_a_wrong_value(script, monkeypatch: pytest.MonkeyPatch) -> None:
    peers = import_module("mmd_peers")
    honest = peers.CONTESTANTS["torch"]
    wrong = honest._replace(value=lambda x, y, widths: honest.value(x, y, widths) + 1e-4)
    monkeypatch.setitem(peers.CONTESTANTS, "torch", wrong)
    with pytest.raises(AssertionError, match=r"torch, d = 2, .* off"):
        peers.gate("torch", 2, (1.0,))


def test_the_roofline_counts_symmetric_blocks_once(script) -> None:
    roofline = import_module("roofline")
    at = roofline.Rates(flops=1.0, exponentials=float("inf"))
    assert roofline.ideal(10, 3, (1.0,), at) == 2 * 3 * (50 + 50 + 100 + 100 + 100)
    at = roofline.Rates(flops=float("inf"), exponentials=1.0)
    assert roofline.ideal(10, 3, (2.0, 5.0, 10.0, 20.0, 40.0, 80.0), at) == 3 * 200


def test_recipes_are_trained_scored_and_reported(script, tmp_path: Path) -> None:
    results, out, table = tmp_path / "rows.csv", tmp_path / "runs", tmp_path / "table.md"
    arguments = ["--out", str(out), "--results", str(results), "--steps", "3", "--threads", "1"]
    train = script("recipes_on_lines")
    train(["plain", "VAE", *arguments])
    train(["plain", *arguments])  # again: from its checkpoint, and the row takes the place of the old one
    with results.open(newline="") as file:
        found = {row["method"]: row for row in csv.DictReader(file)}
    assert set(found) == {"plain", "VAE"}
    assert all(0 < float(row["mean_distance_x1000"]) < 1000 for row in found.values())
    report = ["--results", str(results), "--checkpoints", str(out), "--steps", "3", "--table", str(table)]
    script("recipes_report")([*report, "--pictures", str(tmp_path)])
    (line,) = [line for line in table.read_text().splitlines() if line.startswith("| VAE ")]
    assert float(line.split("|")[3]) == pytest.approx(float(found["VAE"]["reconstruction"]), abs=1e-4)
    assert (tmp_path / "recipes-priors-16.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_recipe_is_named(script, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        script("recipes_on_lines")(["ACIA"])
    assert "methods: expected some of plain, ACAI" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [[], ["--clustered"]])
def test_restarts_of_k_means_are_timed_beside_scikit_learns(script, capsys, kind: list[str]) -> None:
    script("clustering_restarts")(["--restarts", "4", "--peer", "2", "--codes", "600", "--size", "3", *kind])
    ours, objectives, peer = capsys.readouterr().out.splitlines()
    assert ours.startswith("4 restarts, 600 codes of 3: ")
    least, most, finished = (float(w.replace(",", "")) for w in objectives.split() if w[0].isdigit())
    assert finished <= least + 1 <= most + 1
    assert peer.startswith("scikit-learn's n_init=2: ")


def test_the_import_is_timed_beside_the_dependencies(script, capsys) -> None:
    script("import_time")(["--pairs", "1"])
    ratio = float(capsys.readouterr().out.partition("median ratio ")[2].split()[0])
    assert 0.1 < ratio < 10


def test_memory_of_steps_is_measured_once(script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "memory.csv"
    tiny = ["--steps", "20", "--names", "acai", "--out", str(raw)]
    script("memory_of_steps")(tiny)
    before = raw.read_bytes()
    script("memory_of_steps")(tiny)
    assert raw.read_bytes() == before
    with raw.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert int(row["more_tensors"]) == 0
    assert int(row["tensors"]) > 20
    assert int(row["resident_kib"]) > 10_000
    assert "largest more_tensors: 0, of 'acai' in 20 steps" in capsys.readouterr().out
