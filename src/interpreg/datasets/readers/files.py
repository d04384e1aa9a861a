"""Folders, zip and tar archives by one interface: names and bytes. Archives are read in memory, never extracted."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from interpreg._files import as_path, check_content
from interpreg.datasets.readers import archives
from interpreg.datasets.readers.about import About, StrPath, listed
from interpreg.datasets.readers.archives import value_errors


class Files:
    """The regular files of a folder or of an archive.

    Attributes:
        path: of the folder or archive.
        sizes: bytes of each file by its name, ``/`` between folders, in the archive's own order.
        reading: opens a file by its name, as a stream.
    """

    def __init__(
        self, path: Path, about: About, sizes: dict[str, int], reading: Callable[[str], IO[bytes]]
    ) -> None:
        self.path, self.about, self.sizes, self.reading = path, about, sizes, reading
        self._by_name: dict[str, list[str]] = {}
        for full in sizes:
            self._by_name.setdefault(PurePosixPath(full).name, []).append(full)

    def find(self, *names: str) -> str | None:
        """The full name of the first of ``names`` that exists, in any folder; None if none does.

        Raises:
            ValueError: several folders have such a file.
        """
        for name in names:
            places = self._by_name.get(name, [])
            if len(places) > 1:
                raise ValueError(
                    f"{self.path}: expected one {name}, got {listed(places)}; give the folder of one of them as path"
                )
            if places:
                return places[0]
        return None

    def require(self, *names: str) -> str:
        """The full name of the first of ``names`` that exists; ``FileNotFoundError`` if none does."""
        full = self.find(*names)
        if full is None:
            raise self.about.missing(names[0], self.path)
        return full

    def require_all(self, names: Iterable[str]) -> list[str]:
        """The full names of all ``names``; ``FileNotFoundError`` with those that are missing."""
        full_names = {name: self.find(name) for name in names}
        if missing := [name for name, full in full_names.items() if full is None]:
            raise self.about.missing(listed(missing), self.path)
        return [full for full in full_names.values() if full is not None]

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file.

        Raises:
            ValueError: its declared or actual size is above ``limit`` bytes, or the archive is corrupt.
        """
        self._fits(name, self.sizes[name], limit)
        corrupt = value_errors(
            f"{self.where(name)}: cannot be read, the file is truncated or corrupt; get it again"
        )
        with corrupt, self.reading(name) as stream:
            content = stream.read(limit + 1)
        self._fits(name, len(content), limit)
        check_content(self.where(name), content)
        return content

    def official(self, *names: str, limit: int, checksum: bool | str) -> tuple[bytes, str]:
        """The unpacked content of the first of ``names`` that exists, and its place for messages.

        Raises:
            FileNotFoundError: none exists.
            ValueError: as :meth:`read`; or with ``checksum``, it is not the official file called ``names[0]``.
        """
        full = self.require(*names)
        where, content = self.where(full), self.read(full, limit)
        if full.endswith(".gz"):
            content = gunzip(content, limit, where)
        if checksum:
            self.about.check(content, names[0], where)
        return content, where

    def each(self, names: Iterable[str], limit: int) -> Iterator[tuple[str, bytes]]:
        """Names and contents, in the archive's own order, which is the fast one in a compressed tar."""
        selection = set(names)
        return ((name, self.read(name, limit)) for name in self.sizes if name in selection)

    def where(self, name: str) -> str:
        """The file's place, for a message."""
        return str(self.path / name) if self.path.is_dir() else f"{self.path}: {name}"

    def _fits(self, name: str, size: int, limit: int) -> None:
        if size > limit:
            raise ValueError(f"{self.where(name)}: expected at most {limit} bytes, got {size}")


@contextmanager
def opened(path: StrPath, about: About) -> Iterator[Files]:
    """The files at ``path``, a folder or a .zip, .tar or compressed .tar archive.

    A folder's symbolic links to files are followed, because its owner made them; links to folders are not. In an
    archive all links are left out.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: it is neither, an archive that cannot be read, or one with a member or a link that points out of
            the archive.
    """
    path = as_path("path", path)
    if not path.exists():
        raise about.missing("such folder or archive", path)
    if path.is_dir():
        yield folder(path, about)
    elif path.name.lower().endswith(archives.ENDINGS):
        with archives.opened(path) as (sizes, reading):
            yield Files(path, about, sizes, reading)
    else:
        raise ValueError(
            f"{path}: expected a folder, or a file that ends in .npz, {', '.join(archives.ENDINGS)}; of a single file "
            "give the folder that it is in"
        )


def gunzip(content: bytes, limit: int, where: str) -> bytes:
    """The decompressed content.

    Raises:
        ValueError: it is not gzip, it is corrupt or truncated, or there are more than ``limit`` bytes in it.
    """
    corrupt = value_errors(f"{where}: cannot be decompressed, the file is truncated or corrupt; get it again")
    with corrupt, gzip.open(BytesIO(content)) as stream:
        plain = stream.read(limit + 1)
    if len(plain) > limit:
        raise ValueError(f"{where}: expected at most {limit} bytes when decompressed, got more")
    return plain


def folder(path: Path, about: About, pattern: str = "**/*") -> Files:
    """The files of a folder and its subfolders; with the pattern "*", of the folder alone."""
    sizes = {p.relative_to(path).as_posix(): p.stat().st_size for p in sorted(path.glob(pattern)) if p.is_file()}
    return Files(path, about, sizes, lambda name: (path / name).open("rb"))
