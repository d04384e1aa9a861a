"""What a configuration says: which tables it has, where weights lie in a checkpoint, and what data it names."""

import numpy as np
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


def test_bytes_are_put_channels_first_and_floats_are_taken_as_they_are(tmp_path) -> None:
    pixels, labels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3), np.array([1, 0])
    np.savez(tmp_path / "a.npz", X=pixels, y=labels)
    samples = config.data("data", {"file": "a.npz"}, tmp_path)
    assert torch.equal(samples.images, torch.from_numpy(pixels).movedim(-1, 1))
    assert samples.labels.tolist() == [1, 0]
    floats = torch.arange(-3.0, 3).view(2, 3) / 4
    np.savez(tmp_path / "a.npz", X=floats.double().numpy())
    assert torch.equal(config.data("data", {"file": "a.npz"}, tmp_path).images, floats)


def test_a_file_without_its_array_is_named(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", y=np.zeros(3))
    with pytest.raises(ValueError, match=r"a.npz: expected an array X, got none"):
        config.data("data", {"file": "a.npz"}, tmp_path)


@pytest.mark.parametrize(("text", "message"), [
    (f"data = 3\n{NETWORK}", r"expected a table \[data\], got 3"),
    (NETWORK, r"expected a table \[data\] with a name or a file, got none"),
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
