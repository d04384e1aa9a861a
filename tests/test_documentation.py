"""The README's code and every example run, and do what they say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from matplotlib import pyplot
from zoo import vector_pair

import interpreg

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme(
    block: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    encoder, decoder, x = vector_pair(8)
    before = [p.detach().clone() for p in encoder.parameters()]
    names: dict[str, object] = {"encoder": encoder, "decoder": decoder, "loader": [x, x], "x": x, "torch": torch}
    exec("from interpreg import ACAIRegularizer\n" + block, names)
    if "optimizer" in names:
        assert any(not torch.equal(p, q) for p, q in zip(encoder.parameters(), before, strict=True))
        names["reg"].check_optimizers(names["optimizer"])
    for printed in re.findall(r"print\(.*\)  # (\[.*\])", block):
        assert printed in capsys.readouterr().out
    if "report" in names:
        assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
        assert names["report"]["reconstruction_error"] > 0
    if "scores" in names:
        assert names["scores"].smoothness < 1e-3
        assert names["paths"].shape == (4, 16, 1, 8, 8)


def test_readme_claims_are_executable() -> None:
    assert len(BLOCKS) == 7


@pytest.mark.parametrize("page", ["quickstart", "extending", "recipes"])
def test_pages(page: str) -> None:
    """The blocks that the build of the documentation does not run itself."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
    assert blocks
    encoder, decoder, x = vector_pair(8)
    names = vars(interpreg) | {"encoder": encoder, "decoder": decoder, "x": x}
    names["reg"] = interpreg.ACAIRegularizer(encoder, decoder)
    for block in blocks:
        exec(block, names)
    assert all(loss.isfinite() for loss in names["reg"](x).values())


@pytest.mark.parametrize("page", ["measures", "report", "datasets"])
def test_pages_on_what_was_measured(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block after the other; what they write goes elsewhere."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    pyplot.switch_backend("agg")
    names: dict[str, object] = {}
    for block in blocks:
        if '"data/' not in block:  # the readers' files, which nobody has here
            exec(block, names)
    pyplot.close("all")
    written = {path.name for path in tmp_path.iterdir()}
    assert (
        written == {"measures": {"views.png"}, "report": {"report.html", "report.json"}, "datasets": set()}[page]
    )
    if page == "measures":
        assert names["error"].overall > 0
        assert names["retrieved"].median[0] == 0
        assert names["retrieved"].median[-1] == 1
    if page == "report":
        assert names["report"]["interpolation_error"] > 0


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_existing_loop() -> None:
    history = example("existing_loop").main(steps=60)
    names = ["reconstruction", "interpolation", "critic/interpolation", "critic/real"]
    assert list(history[0]) == names
    assert history[-1]["reconstruction"] < 0.5 * history[0]["reconstruction"]
    assert history[-1]["critic/interpolation"] < history[0]["critic/interpolation"]


def test_compose() -> None:
    names, weights = example("compose").main(steps=40)
    assert names == ["reconstruction", "interpolation", "critic/interpolation", "critic/real"]
    assert weights[:11] == [0] * 11
    assert weights[20:] == pytest.approx([0.02] * 20)
    assert weights[15] == pytest.approx(0.01)


def test_codes_towards_a_prior() -> None:
    results = example("codes_towards_a_prior").main(steps=300)
    plain, drawn = results["plain"], results["with MMDPrior"]
    assert drawn["mmd"] < 0.2 * plain["mmd"]
    key = "distance of decoded prior samples to real digits"
    assert drawn[key] < plain[key]


def test_text() -> None:
    results = example("text").main(steps=300)
    assert all(found["words right"] > 0.5 for found in results.values())  # 1 of 26 by chance
    key = "sentences half-way that are real"
    # 0.18 plain, 0.23 to 0.36 with rounding, which 300 steps multiply: more, and not how much more
    assert results["ACAI + MMD"][key] > results["plain"][key]


def test_signals() -> None:
    results = example("signals").main(steps=120)
    plain, aeai = results["plain"], results["AEAI"]
    assert plain["reconstruction error"] < 0.1
    assert aeai["distance"] < plain["distance"]


def test_tabular() -> None:
    results = example("tabular").main(steps=400)
    plain, midrae = results["plain"], results["MIDR-AE"]
    assert midrae["correlation of code elements"] < plain["correlation of code elements"]
    assert midrae["linear probe accuracy"] > 0.9


def test_turning_light(tmp_path: Path) -> None:
    reports = example("turning_light").main(steps=12, out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "plain.html", "plain.json", "ACAI.html", "ACAI.json", "curves.png"
    }  # fmt: skip
    for name, report in reports.items():
        assert report["reconstruction_error"] < 0.5
        assert set(report.curves.by_alpha) == {name, "cross-fade"}


def test_every_example_is_short_and_tested() -> None:
    tested = Path(__file__).read_text()
    for path in (ROOT / "examples").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120
        assert f'example("{path.stem}")' in tested


def test_the_table_of_faults_is_that_of_the_tests() -> None:
    spec = importlib.util.spec_from_file_location("faults_table", ROOT / "docs" / "faults_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TABLE.read_text() == module.table(), "run python docs/faults_table.py"
    assert len(list(module.faults())) > 60
