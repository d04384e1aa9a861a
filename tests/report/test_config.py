"""What a configuration says: which tables it has, where weights lie in a checkpoint, and what data it names."""

import pytest
import torch

from interpreg.datasets import lines
from interpreg.report import config

NETWORK = '[encoder]\nfactory = "a.py:A"\n[decoder]\nfactory = "a.py:A"\n'
LINES = {"name": "lines", "seed": 1, "options": {"n": 30, "size": 8}}


def test_samples_are_those_of_the_seed(tmp_path) -> None:
    expected = lines.sample(30, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(config.data("data", LINES, tmp_path).parameters, expected.parameters)
    assert not torch.equal(config.data("data", LINES | {"seed": 2}, tmp_path).parameters, expected.parameters)


@pytest.mark.parametrize(("text", "message"), [
    (f"data = 3\n{NETWORK}", r"expected a table \[data\], got 3"),
    (NETWORK, r"expected a table \[data\] with a name or a file, got none"),
    (f"name = 3\n[data]\nname = 'lines'\n{NETWORK}", r"report.toml: name: expected a text, got 3"),
    (f"[data]\nname = 3\n{NETWORK}", r"\[data\] name: expected a text, got 3"),
    (f"[data]\nname = 'lines'\nlimit = 3.5\n{NETWORK}", r"\[data\] limit: expected a whole number, got 3.5"),
    (f"[data]\nname = 'lines'\nseed = true\n{NETWORK}", r"\[data\] seed: expected a whole number, got True"),
    (f"[data]\nname = 'lines'\noptions = 'n'\n{NETWORK}", r"\[data\] options: expected a table, got 'n'"),
    (f"[data]\nname = 'lines'\n{NETWORK}arguments = [3]", r"\[decoder\] arguments: expected a table, got a list"),
    (f"[data]\nname = 'lines'\n{NETWORK}[report]\npairs = '8'", r"\[report\] pairs: expected a whole number, got '8'"),
    (f"[data]\nname = 'lines'\n[encoders]\n{NETWORK}", r"expected tables among .*, got \['encoders'\]"),
])  # fmt: skip
def test_tables_that_are_none_missing_or_unknown_are_named(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "report.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        config.read(path)


def test_a_key_that_leads_to_no_weights_is_named(tmp_path) -> None:
    (tmp_path / "a.py").write_text("from torch import nn\nA = lambda: nn.Linear(2, 2)\n")
    table = {"factory": "a.py:A", "key": "model.weight"}
    with pytest.raises(ValueError, match=r"\[encoder\] key: expected a state_dict under 'model.weight', got a"):
        config.network("encoder", table, {"model": {"weight": torch.ones(2, 2)}}, tmp_path)


@pytest.mark.fault(
    "Reports and files",
    "A configuration gives `seed`, `split`, `path` or `options` beside `file`, where they do nothing.",
    now="`ValueError` that names the key",
)
@pytest.mark.parametrize("useless", [{"seed": 1}, {"split": "train"}, {"path": "x"}, {"options": {"n": 3}}])
def test_keys_without_effect_are_refused(tmp_path, useless: dict[str, object]) -> None:
    key = next(iter(useless))
    with pytest.raises(ValueError, match=rf"\[data\] {key}: expected none beside a file, got"):
        config.data("data", {"file": "a.npz", **useless}, tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path) -> None:
    (tmp_path / "report.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="expected TOML, got a file that is not"):
        config.read(tmp_path / "report.toml")
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        config.read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none.toml: no such file"):
        config.read(tmp_path / "none.toml")


@pytest.mark.fault(
    "Saving",
    "A checkpoint was saved from a wrapper: every name begins with `module.` or `_orig_mod.`.",
    now="`ValueError` with the prefix to write in the configuration",
)
@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod."])
def test_the_prefix_of_a_wrapper_is_told(tmp_path, wrapper: str) -> None:
    (tmp_path / "a.py").write_text("from torch import nn\nA = lambda: nn.Linear(2, 2)\n")
    state = {"e." + wrapper + name: value for name, value in torch.nn.Linear(2, 2).state_dict().items()}
    table = {"factory": "a.py:A", "prefix": "e."}
    with pytest.raises(ValueError, match=f'write prefix = "e.{wrapper}"'):
        config.network("encoder", table, state, tmp_path)
    network = config.network("encoder", table | {"prefix": "e." + wrapper}, state, tmp_path)
    assert torch.equal(network.weight, state["e." + wrapper + "weight"])
