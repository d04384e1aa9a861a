"""``python -m interpreg report``: a checkpoint and a small file in, a page and numbers out."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from interpreg.__main__ import main
from interpreg.demo import networks

MODELS = """
import torch
from torch import nn

class Encoder(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Flatten(), nn.Linear(64, width))

def decoder(width=4):
    return nn.Sequential(nn.Linear(width, 64), nn.Unflatten(1, (1, 8, 8)))

def number():
    return 3
"""
CONFIG = """
name = "mine"
[encoder]
factory = "models.py:Encoder"
arguments = {{ width = 5 }}
key = "{key}"
prefix = "{prefix}encoder."
[decoder]
factory = "models.py:decoder"
arguments = {{ width = 5 }}
key = "{key}"
prefix = "{prefix}decoder."
[data]
file = "images.npz"
[report]
pairs = 8
restarts = 2
"""


def written(folder: Path, config: str | None = None, key: str = "", prefix: str = "") -> tuple[Path, Path]:
    """A checkpoint as Lightning writes one, the networks' code, data and a configuration."""
    (folder / "models.py").write_text(MODELS)
    names: dict[str, object] = {}
    exec(MODELS, names)
    pair = torch.nn.ModuleDict({"encoder": names["Encoder"](5), "decoder": names["decoder"](5)})
    state = {prefix + name: value for name, value in pair.state_dict().items()}
    for part in reversed([p for p in key.split(".") if p]):
        state = {part: state}
    torch.save(state, folder / "model.pt")
    rng = np.random.default_rng(0)
    np.savez(folder / "images.npz", X=rng.integers(0, 255, (60, 8, 8), dtype=np.uint8), y=np.arange(60) % 3)
    (folder / "report.toml").write_text(config or CONFIG.format(key=key, prefix=prefix))
    return folder / "model.pt", folder / "report.toml"


@pytest.mark.parametrize(("key", "prefix"), [("", ""), ("state_dict", ""), ("ema.state_dict", "model.")])
def test_networks_of_ones_own(tmp_path, capsys, key, prefix) -> None:
    checkpoint, config = written(tmp_path, key=key, prefix=prefix)
    assert main(["report", str(checkpoint), "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("mine\n")
    folder = tmp_path / "model-report"
    assert "reconstruction error" in printed
    values = {m["key"]: m["value"] for m in json.loads((folder / "report.json").read_text())["metrics"]}
    assert values["code_size"] == 5
    assert values["linear_probe"] is not None  # the labels came along
    assert "<h1>mine</h1>" in (folder / "report.html").read_text()


def test_weights_are_the_checkpoints(tmp_path, capsys) -> None:
    """Other weights, other numbers; the same, the same."""
    errors = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        checkpoint, config = written(tmp_path)
        torch.manual_seed(99)
        assert main(["report", str(checkpoint), "--config", str(config), "--out", str(tmp_path / "out")]) == 0
        errors.append(json.loads((tmp_path / "out" / "report.json").read_text())["metrics"][0]["value"])
    assert errors[0] == errors[1] != errors[2]


EMBEDDED = {
    "name": "its own",
    "encoder": {
        "factory": "interpreg.demo.networks:encoder",
        "arguments": {"colours": 1, "width": 4, "scales": 2, "code_channels": 4},
        "key": "encoder",
    },
    "decoder": {
        "factory": "interpreg.demo.networks:decoder",
        "arguments": {"colours": 1, "width": 4, "scales": 2, "code_channels": 4},
        "key": "decoder",
    },
    "data": {"name": "lines", "seed": 1, "options": {"n": 30, "size": 8}},
    "train": {"name": "lines", "seed": 2, "options": {"n": 40, "size": 8}},
    "report": {"restarts": 2},
}


def embedded(path: Path, **changes: dict[str, object]) -> Path:
    """A checkpoint that carries its configuration."""
    pair = {name: getattr(networks, name)(1, 4, 2, 4).state_dict() for name in ("encoder", "decoder")}
    history = [{"step": step, "reconstruction": 1 / step} for step in (1, 2, 3)]
    torch.save(pair | {"configuration": EMBEDDED | changes, "history": history}, path)
    return path


def test_a_configuration_in_the_checkpoint(tmp_path, capsys) -> None:
    assert main(["report", str(embedded(tmp_path / "model.pt"))]) == 0
    assert capsys.readouterr().out.startswith("its own\n")
    content = json.loads((tmp_path / "model-report" / "report.json").read_text())
    assert content["about"]["to fit probes on"] == "40 samples"
    assert content["about"]["neighbours among"] == "10,000 real samples"
    assert '<figure id="training">' in (tmp_path / "model-report" / "report.html").read_text()


@pytest.mark.parametrize("factory", ["os:system", "models.py:Encoder", "interpreg.__main__:main"])
def test_a_checkpoint_cannot_choose_the_code_that_runs(tmp_path, capsys, factory) -> None:
    written(tmp_path)
    trap = tmp_path / "trap"
    table = {"factory": factory, "arguments": {"command": f"touch {trap}"}, "key": "encoder"}
    assert main(["report", str(embedded(tmp_path / "evil.pt", encoder=table))]) == 1
    assert "a checkpoint may not call other code" in capsys.readouterr().err
    assert not trap.exists()


def test_data_by_name(tmp_path, capsys) -> None:
    lines = 'name = "lines"\nlimit = 30\noptions = { size = 8, n = 50 }'
    config = CONFIG.format(key="", prefix="").replace('file = "images.npz"', lines)
    checkpoint, path = written(tmp_path, config)
    assert main(["report", str(checkpoint), "--config", str(path)]) == 0
    content = json.loads((tmp_path / "model-report" / "report.json").read_text())
    assert content["about"]["neighbours among"] == "10,000 real samples"


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_checkpoint_is_never_executed(tmp_path, capsys) -> None:
    _, config = written(tmp_path)
    for write in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        trap = tmp_path / "trap"
        write({"encoder": Evil(str(trap))}, tmp_path / "evil.pt")
        assert main(["report", str(tmp_path / "evil.pt"), "--config", str(config)]) == 1
        assert "which would have to be executed" in capsys.readouterr().err
        assert not trap.exists()


@pytest.mark.parametrize(("old", "new", "message"), [
    ('name = "mine"', "name = ", "expected TOML"),
    ("[report]", "[reports]", "expected tables among"),
    ("pairs = 8", "pair = 8", "[report] expected names among"),
    ('factory = "models.py:Encoder"', "", "[encoder] expected a factory"),
    ("models.py:Encoder", "Encoder", "[encoder] factory: expected 'models.py:Encoder' or"),
    ("models.py:Encoder", "others.py:Encoder", "[encoder] factory: no such file"),
    ("models.py:Encoder", "no_such_package.models:Encoder", "No module named 'no_such_package'"),
    ("models.py:Encoder", "models.py:Missing", "[encoder] factory: expected 'Missing' in models.py"),
    ('models.py:Encoder"\narguments = { width = 5 }', 'models.py:number"',
     "[encoder] factory: expected it to make an nn.Module"),
    ('models.py:Encoder"\narguments = { width = 5 }', 'models.py:Encoder"', "[encoder]: expected the weights of"),
    ("width = 5 }", "wide = 5 }", "unexpected keyword argument 'wide'"),
    ('prefix = "encoder."', 'prefix = "nothing."', "[encoder] prefix: expected names that begin with"),
    ('key = ""', 'key = "model"', "[encoder] key: expected 'model' in the checkpoint"),
    ('file = "images.npz"', "", "expected a table [data]"),
    ('file = "images.npz"', 'file = "none.npz"', "none.npz"),
    ('file = "images.npz"', 'file = "models.py"', "expected an .npz or .npy file"),
    ('file = "images.npz"', 'file = "a.npz"\nname = "lines"', "[data]: expected either a name or a file"),
    ('file = "images.npz"', 'name = "imagenet"', "name: expected one of"),
    ('file = "images.npz"', 'name = "mnist"', "path: expected the place of mnist's official files"),
    ("pairs = 8", "pairs = 0", "pairs: expected an int of at least 1"),
    ("pairs = 8", "steps = 2", "steps: expected an int of at least 3"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(tmp_path, capsys, old, new, message) -> None:
    text = CONFIG.format(key="", prefix="")
    assert old in text
    checkpoint, config = written(tmp_path, text.replace(old, new, 1))
    assert main(["report", str(checkpoint), "--config", str(config)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "model-report").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["model.pt", "--config", "report.toml", "--device", "toaster"],
     "--device: expected a device such as cpu or cuda:0, got 'toaster'"),
    (["none.pt"], "none.pt"),
    (["model.pt"], "expected --config FILE"),
    (["model.pt", "--config", "none.toml"], "none.toml"),
    (["text.pt"], "text.pt: expected a checkpoint of tensors"),
    (["odd.pt"], "odd.pt: [data] expected names among"),
])  # fmt: skip
def test_bad_arguments_are_named(tmp_path, capsys, monkeypatch, words, message) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    (tmp_path / "text.pt").write_text("no checkpoint")
    embedded(tmp_path / "odd.pt", data={"names": "lines"})
    assert main(["report", *words]) == 1
    assert message in capsys.readouterr().err


def test_pickled_arrays_are_refused(tmp_path, capsys) -> None:
    checkpoint, config = written(tmp_path)
    trap = tmp_path / "trap"
    np.savez(tmp_path / "images.npz", X=np.array([Evil(str(trap))], dtype=object))
    assert main(["report", str(checkpoint), "--config", str(config)]) == 1
    assert "error: " in capsys.readouterr().err
    assert not trap.exists()
