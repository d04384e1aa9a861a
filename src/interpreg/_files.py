"""Files that are written whole or not at all, and files that are not what they should be."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from interpreg import _checks

KINDS = {  # by their first bytes
    b"version https://git-lfs": "a Git LFS pointer",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "an .npy file",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a PNG file",
    b"\xff\xd8\xff": "a JPEG file",
}
REMEDIES = {
    "a web page": "get it again, in a browser where the site asks for a login or a confirmation",
    "a Git LFS pointer": "run git lfs pull",
}


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path to write to: renamed to ``path`` on success, removed on any error."""
    # a name of its own, because another process may write to the same path
    partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def as_path(name: str, value: object) -> Path:
    """``value`` as a path, ``~`` expanded; ``TypeError`` or ``ValueError`` unless it is a path or a text of one."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name}: expected a path, got {_checks.describe(value)}")
    if not os.fspath(value):
        raise ValueError(f"{name}: expected a path, got ''")
    return Path(os.fsdecode(value)).expanduser()


def kind_of(content: bytes) -> str:
    """What a file is by its first bytes, such as "a zip archive"; "" where they tell nothing.

    >>> kind_of(b"PK\x03\x04"), kind_of(b"<!DOCTYPE html>")
    ('a zip archive', 'a web page')
    """
    text = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "a web page"
    if content[8:10] == b'{"' and content[6:8] == b"\0\0":
        return "a safetensors file"
    return next((kind for start, kind in KINDS.items() if content.startswith(start)), "")


def check_content(where: str, content: bytes) -> None:
    """Raise ``ValueError`` if the first bytes tell that a download or a checkout put this in place of the file."""
    if not content:
        raise ValueError(f"{where}: expected content, got an empty file; get it again")
    kind = kind_of(content)
    if kind in REMEDIES:
        raise ValueError(f"{where}: got {kind} in place of the file; {REMEDIES[kind]}")


def head_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        OSError: there is no such file, or it is a folder.
        ValueError: it is empty, a web page, or a pointer to a file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as stream:
        head = stream.read(1024)
    check_content(str(path), head)
    return head
