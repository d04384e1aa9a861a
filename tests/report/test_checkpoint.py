"""Checkpoints: what is read without executing anything, and what is said about the rest."""

import json
import struct
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from interpreg.report import checkpoint


def safetensors(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """A file of the published format: the header's length, the header, the bytes."""
    header, content = {}, b""
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        span = [len(content), len(content) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": span}
        content += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


@pytest.mark.fault(
    "Reports and files",
    "A checkpoint is a safetensors file.",
    now="it is read, or without the package `ImportError: pip install safetensors`; it was said to execute code",
)
@pytest.mark.parametrize("name", ["a.safetensors", "model.pt"])
def test_safetensors_are_read_where_the_package_is(tmp_path: Path, monkeypatch, name: str) -> None:
    weight = torch.arange(6.0).view(2, 3)
    path = safetensors(tmp_path / name, {"encoder.weight": weight})
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match=f"{name}: a safetensors file; reading it needs pip install safetensors"):
        checkpoint.load(path)
    stub = types.SimpleNamespace(load_file=lambda p: {"encoder.weight": weight} if p == path else None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", stub)
    state = checkpoint.load(path)
    assert torch.equal(checkpoint.weights("encoder", state, "", "encoder.")["weight"], weight)


def test_safetensors_by_the_package_itself(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    weight = torch.arange(6.0).view(2, 3)
    path = safetensors(tmp_path / "a.safetensors", {"weight": weight})
    assert torch.equal(checkpoint.load(path)["weight"], weight)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="expected a safetensors file, got one that is not, or truncated"):
        checkpoint.load(path)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "an empty file; get it again"),
    (b"<!doctype html>", "a web page in place of the file"),
    (b"version https://git-lfs.github.com/spec/v1", "run git lfs pull"),
    (b"\x89HDF\r\n", "got an HDF5 file"),
    (b"text", "got a file that is none"),
])  # fmt: skip
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ValueError, match=f"model.pt: .*{message}"):
        checkpoint.load(tmp_path / "model.pt")


def test_truncated_files_and_folders_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Linear(50, 50).state_dict(), path)
    assert set(checkpoint.load(path)) == {"weight", "bias"}
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="got one that is truncated or corrupt; get it again"):
        checkpoint.load(path)
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        checkpoint.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        checkpoint.load(tmp_path / "none.pt")


def test_whole_modules_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="other objects, which would have to be executed"):
        checkpoint.load(tmp_path / "model.pt")
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "scripted.pt")
    with pytest.raises(ValueError, match="got TorchScript, which is code"):
        checkpoint.load(tmp_path / "scripted.pt")
