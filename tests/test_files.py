"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from interpreg._files import as_path, atomic_write, kind_of


def test_a_file_is_there_when_it_is_whole(tmp_path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("half", [path])


def test_what_fails_leaves_the_old_one(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as partial:
            partial.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


@pytest.mark.parametrize(("content", "kind"), [
    (b"\xef\xbb\xbf \n<HTML>", "a web page"), (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    (b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b\x08", "a gzip file"), (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x38\0\0\0\0\0\0\0" + b'{"a":{}}', "a safetensors file"), (b"\0\0\x08\x03\0\0\0\x0c\0\0", ""), (b"", ""),
])  # fmt: skip
def test_files_are_known_by_their_first_bytes(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


def test_paths_are_expanded_and_checked(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("path", "~/a") == as_path("path", Path("~/a")) == tmp_path / "a"
    assert as_path("path", "a") == Path("a")
    for wrong in (None, 3, ["a"]):
        with pytest.raises(TypeError, match="path: expected a path, got"):
            as_path("path", wrong)
    with pytest.raises(ValueError, match="path: expected a path, got ''"):
        as_path("path", "")
