"""A report as a table, and as files."""

import json

import pytest
import torch
from turntable import pair, turned

from interpreg.report import interpolation_report


def test_the_numbers_file_is_strict_json(tmp_path) -> None:
    data = turned()
    report = interpolation_report(*pair(), data, train=data, draw=False, name="a name")
    content = json.loads(report.save_json(tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
    assert content["name"] == "a name"
    values = {m["key"]: m["value"] for m in content["metrics"]}
    assert values["reconstruction_error"] == report["reconstruction_error"]
    assert values["linear_probe"] is None
    assert next(m for m in content["metrics"] if m["key"] == "linear_probe")["undefined"] == "a single class"
    assert len(content["curves"]["by_alpha"]["cross-fade"]["mean"]) == 4  # 5 steps of 15 degrees
    with pytest.raises(KeyError, match="this report has reconstruction_error"):
        report["nonsense"]


def test_files_are_written_to_a_tilde_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    report = interpolation_report(*pair(), torch.rand(20, 1, 16, 16), draw=False)
    assert report.save_json("~/r.json") == tmp_path / "r.json"
    assert report.save_html("~/r.html") == tmp_path / "r.html"
    assert {p.name for p in tmp_path.iterdir()} == {"r.json", "r.html"}


def test_the_table_shows_every_metric() -> None:
    data = turned()
    report = interpolation_report(*pair(), data, train=data, draw=False)
    table = str(report).splitlines()
    for metric in report.metrics:
        row = next(line for line in table if line.startswith(f"  {metric.name} "))
        assert metric.shown() in row
        assert metric.undefined in row
