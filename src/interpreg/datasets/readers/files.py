"""Folders, zip and tar archives as one thing: names and bytes. Archives are read in memory, never extracted."""

import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from interpreg.datasets.readers import archives
from interpreg.datasets.readers.about import About, listed
from interpreg.datasets.readers.archives import BROKEN


class Files:
    """The regular files of a folder or of an archive.

    Attributes:
        path: of the folder or archive.
        sizes: bytes of each file by its name, ``/`` between folders, in the archive's own order.
        reading: gives a file's content as a stream, by its name.
    """

    def __init__(
        self, path: Path, about: About, sizes: dict[str, int], reading: Callable[[str], IO[bytes]]
    ) -> None:
        self.path, self.about, self.sizes, self.reading = path, about, sizes, reading
        self._by_name: dict[str, list[str]] = {}
        for full in sizes:
            self._by_name.setdefault(PurePosixPath(full).name, []).append(full)

    def find(self, *names: str) -> str | None:
        """The full name of the file called by the first of ``names`` that there is, in whatever folder.

        Raises:
            ValueError: several folders have such a file.
        """
        for name in names:
            found = self._by_name.get(name, [])
            if len(found) > 1:
                raise ValueError(
                    f"{self.path}: expected one {name}, got {listed(found)}; give the folder of one of them as path"
                )
            if found:
                return found[0]
        return None

    def need(self, *names: str) -> str:
        """The same; ``FileNotFoundError`` where there is none."""
        found = self.find(*names)
        if found is None:
            raise self.about.missing(names[0], self.path)
        return found

    def need_all(self, names: Iterable[str]) -> list[str]:
        """The full names of the files called ``names``; ``FileNotFoundError`` naming those that are not there."""
        found = {name: self.find(name) for name in names}
        if missing := [name for name, full in found.items() if full is None]:
            raise self.about.missing(listed(missing), self.path)
        return [full for full in found.values() if full is not None]

    def read(self, name: str, most: int) -> bytes:
        """The content of a file.

        Raises:
            ValueError: it declares, or turns out, to be larger than ``most`` bytes, or the archive is corrupt.
        """
        self._fits(name, self.sizes[name], most)
        try:
            with self.reading(name) as stream:
                content = stream.read(most + 1)
        except PermissionError:  # nothing is wrong with the file
            raise
        except BROKEN as error:
            raise ValueError(f"{self.where(name)}: cannot be read, the file is corrupt ({error})") from error
        self._fits(name, len(content), most)
        return content

    def each(self, names: Iterable[str], most: int) -> Iterator[tuple[str, bytes]]:
        """Names and contents, in the archive's own order, which is the fast one in a compressed tar."""
        wanted = set(names)
        return ((name, self.read(name, most)) for name in self.sizes if name in wanted)

    def where(self, name: str) -> str:
        """The file's place, for a message."""
        return str(self.path / name) if self.path.is_dir() else f"{self.path}: {name}"

    def _fits(self, name: str, size: int, most: int) -> None:
        if size > most:
            raise ValueError(f"{self.where(name)}: expected at most {most} bytes, got {size}")


@contextmanager
def opened(path: str | os.PathLike[str], about: About) -> Iterator[Files]:
    """The files at ``path``, a folder or a .zip, .tar or compressed .tar archive.

    A folder's symbolic links to files are followed: they are its owner's own. Links to folders are not. In an archive
    all links are left out.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: it is something else, an archive that cannot be read, or one with a member or a link that points
            out of the archive.
    """
    path = Path(path)
    if not path.exists():
        raise about.missing("such folder or archive", path)
    if path.is_dir():
        yield _folder(path, about)
    elif path.name.lower().endswith(archives.ENDINGS):
        with archives.opened(path) as (sizes, reading):
            yield Files(path, about, sizes, reading)
    else:
        raise ValueError(f"{path}: expected a folder, or a file that ends in .npz, {', '.join(archives.ENDINGS)}")


def gunzip(content: bytes, most: int, where: str) -> bytes:
    """The decompressed content.

    Raises:
        ValueError: it is not gzip, it is corrupt or truncated, or there are more than ``most`` bytes in it.
    """
    try:
        with gzip.open(BytesIO(content)) as stream:
            plain = stream.read(most + 1)
    except BROKEN as error:
        raise ValueError(f"{where}: cannot be decompressed, the file is corrupt ({error})") from error
    if len(plain) > most:
        raise ValueError(f"{where}: expected at most {most} bytes when decompressed, got more")
    return plain


def _folder(path: Path, about: About) -> Files:
    sizes = {}
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                sizes[file.relative_to(path).as_posix()] = file.stat().st_size
    return Files(path, about, sizes, lambda name: (path / name).open("rb"))
