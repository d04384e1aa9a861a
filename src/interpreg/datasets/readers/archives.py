"""The contents of zip and tar archives; an archive with members that point out of it is refused."""

import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any

from interpreg._files import head_of, kind_of

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNREADABLE = ("a 7z archive", "a rar archive")
ENCRYPTED, DEFLATE64 = 0x1, 9  # a flag and a method of a zip's member
READABLE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
MAX_TOTAL_BYTES = 16 * 2**30  # by its own listing; the largest, CelebA's, has 1.5 GB
CORRUPTION_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a compression that zipfile does not support, in whatever this version of Python names so
    RuntimeError,  # an encrypted member, told apart by check_readable where its flag is right
)
Listing = tuple[dict[str, int], Callable[[str], IO[bytes]]]


@contextmanager
def value_errors(message: str, errors: tuple[type[Exception], ...] = CORRUPTION_ERRORS) -> Iterator[None]:
    """Raise ``ValueError`` with ``message`` and the cause in place of what a corrupt file raises."""
    try:
        yield
    except PermissionError:  # nothing is wrong with the file
        raise
    except errors as error:
        raise ValueError(f"{message} ({error})") from error


@contextmanager
def opened(path: Path) -> Iterator[Listing]:
    """The size of each regular file by name, in the archive's order, and a function that opens one.

    Raises:
        ValueError: the archive is corrupt, holds two files of one name, or has a member or a link that points out.
    """
    is_zip = path.name.lower().endswith(".zip")
    kind = kind_of(head_of(path))
    if kind in UNREADABLE or (kind and (kind == "a zip archive") != is_zip):
        remedy = "unpack it, and give the folder" if kind in UNREADABLE else "rename it"
        raise ValueError(f"{path}: expected an archive as its name ends, got {kind}; {remedy}")
    members: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    total = 0
    with ExitStack() as stack:
        with value_errors(f"{path}: cannot be read, the archive is truncated or corrupt; get it again"):
            archive: Any = stack.enter_context((zipfile.ZipFile if is_zip else tarfile.open)(path))
            for name, size, member in (_zip if is_zip else _tar)(path, archive):
                if name in sizes:
                    raise ValueError(f"{path}: expected one file of each name, got two called {name}")
                members[name], sizes[name] = member, size
                total += size
                if total > MAX_TOTAL_BYTES:
                    raise ValueError(
                        f"{path}: expected at most {MAX_TOTAL_BYTES} bytes in all, got {total} and more"
                    )
        read = partial(_open_zipped, path, archive) if is_zip else archive.extractfile
        yield sizes, lambda name: read(members[name])


def _zip(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, int, zipfile.ZipInfo]]:
    """Name, size and member of each regular file."""
    for info in archive.infolist():
        name = _inside(path, info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            target = archive.read(info) if info.file_size < 4096 else b"/"
            _inside(path, posixpath.join(posixpath.dirname(name), target.decode(errors="replace")))
        elif not info.is_dir():
            yield name, info.file_size, info


def _open_zipped(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """The content of a member; ``ValueError`` if it is encrypted or compressed in a way that Python cannot read."""
    check_readable(path, info)
    return archive.open(info)


def check_readable(path: Path, info: zipfile.ZipInfo) -> None:
    """Raise ``ValueError`` if a member is encrypted, or compressed in a way that Python cannot read."""
    if info.flag_bits & ENCRYPTED:
        raise ValueError(
            f"{path}: {info.filename}: is encrypted; unpack it with its password, and give the folder"
        )
    if info.compress_type not in READABLE_METHODS:
        method = "deflate64" if info.compress_type == DEFLATE64 else f"method {info.compress_type}"
        raise ValueError(
            f"{path}: {info.filename}: is compressed by {method}, which Python cannot read; unpack it with another "
            "program, such as 7-Zip, and give the folder"
        )


def _tar(path: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, int, tarfile.TarInfo]]:
    """Name, size and member of each regular file, one by one: sizes are checked before content is decompressed."""
    for info in archive:
        name = _inside(path, info.name)
        if info.issym():
            _inside(path, posixpath.join(posixpath.dirname(name), info.linkname))
        elif info.islnk():
            _inside(path, info.linkname)
        elif info.isfile():
            yield name, info.size, info


def _inside(path: Path, name: str) -> str:
    """The name without ``.`` and ``..``; ``ValueError`` if it points out of the archive."""
    clean = posixpath.normpath(name.replace("\\", "/"))
    if clean.startswith(("/", "../")) or clean == ".." or re.match("[A-Za-z]:", clean) or "\0" in clean:
        raise ValueError(f"{path}: expected members inside the archive, got {name!r}, which points out of it")
    return clean
