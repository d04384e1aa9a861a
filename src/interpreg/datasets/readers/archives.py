"""The contents of zip and tar archives; an archive with members that point out of it is refused."""

import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path
from typing import IO

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_TOTAL_BYTES = 16 * 2**30  # by its own listing; the largest, CelebA's, has 1.5 GB
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a compression that zipfile does not support
    RuntimeError,  # an encrypted member
)
Listing = tuple[dict[str, int], Callable[[str], IO[bytes]]]


@contextmanager
def opened(path: Path) -> Iterator[Listing]:
    """The size of each regular file by name, in the archive's order, and a function that opens one.

    Raises:
        ValueError: the archive is corrupt, holds two files of one name, or has a member or a link that points out.
    """
    is_zip = path.name.lower().endswith(".zip")
    try:
        archive = zipfile.ZipFile(path) if is_zip else tarfile.open(path)  # noqa: SIM115  (closed below)
    except PermissionError:  # nothing is wrong with the file
        raise
    except BROKEN as error:
        raise _corrupt(path, error) from error
    with archive:
        try:
            listing = _zip(path, archive) if isinstance(archive, zipfile.ZipFile) else _tar(path, archive)
        except BROKEN as error:
            raise _corrupt(path, error) from error
        yield listing


def _zip(path: Path, archive: zipfile.ZipFile) -> Listing:
    members: dict[str, zipfile.ZipInfo] = {}
    sizes: dict[str, int] = {}
    total = 0
    for info in archive.infolist():
        name = _inside(path, info.filename)
        if info.is_dir():
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            target = archive.read(info) if info.file_size < 4096 else b"/"
            _inside(path, posixpath.join(posixpath.dirname(name), target.decode(errors="replace")))
            continue
        total = _added(path, sizes, name, info.file_size, total)
        members[name] = info
    return sizes, lambda name: archive.open(members[name])


def _tar(path: Path, archive: tarfile.TarFile) -> Listing:
    members: dict[str, tarfile.TarInfo] = {}
    sizes: dict[str, int] = {}
    total = 0
    for info in archive:  # one by one, so that sizes are checked before the content is decompressed
        name = _inside(path, info.name)
        if info.issym():
            _inside(path, posixpath.join(posixpath.dirname(name), info.linkname))
        elif info.islnk():
            _inside(path, info.linkname)
        elif info.isfile():
            total = _added(path, sizes, name, info.size, total)
            members[name] = info

    def reading(name: str) -> IO[bytes]:
        stream = archive.extractfile(members[name])
        assert stream is not None  # a regular file has one
        return stream

    return sizes, reading


def _inside(path: Path, name: str) -> str:
    """The name without ``.`` and ``..``; ``ValueError`` if it points out of the archive."""
    clean = posixpath.normpath(name.replace("\\", "/"))
    if clean.startswith(("/", "../")) or clean == ".." or re.match("[A-Za-z]:", clean) or "\0" in clean:
        raise ValueError(f"{path}: expected members inside the archive, got {name!r}, which points out of it")
    return clean


def _added(path: Path, sizes: dict[str, int], name: str, size: int, total: int) -> int:
    """Record a file's size, and return the new total."""
    if name in sizes:
        raise ValueError(f"{path}: expected one file of each name, got two called {name}")
    sizes[name] = size
    if total + size > MAX_TOTAL_BYTES:
        raise ValueError(f"{path}: expected at most {MAX_TOTAL_BYTES} bytes in all, got {total + size} and more")
    return total + size


def _corrupt(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path}: cannot be read, the archive is corrupt ({error})")
