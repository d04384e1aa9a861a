"""Small files in the formats that data sets are published in, written without the package's help."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def idx_images(images: np.ndarray) -> bytes:
    """Images ``[n, H, W]`` in the format of MNIST."""
    return struct.pack(">IIII", 2051, *images.shape) + images.tobytes()


def idx_labels(labels: np.ndarray) -> bytes:
    """Labels in the format of MNIST."""
    return struct.pack(">II", 2049, len(labels)) + labels.astype(np.uint8).tobytes()


def mnist_files(n: int = 12, split: str = "train") -> dict[str, bytes]:
    """The two files of a split, by name."""
    rng = np.random.default_rng(n)
    return {
        f"{split}-images-idx3-ubyte": idx_images(rng.integers(0, 256, (n, 28, 28), np.uint8)),
        f"{split}-labels-idx1-ubyte": idx_labels(np.arange(n) % 10),
    }


def cifar_batch(n: int, seed: int = 0) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The file, images [n, 3, 32, 32] and labels."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (n, 3, 32, 32), np.uint8), rng.integers(0, 10, n)
    records = [bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)]
    return b"".join(records), images, labels


def picture(image: np.ndarray, form: str = "PNG", **options: object) -> bytes:
    """Of uint8 [H, W] or [H, W, 3]."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=form, **options)
    return stream.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, and return it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """Write files into a .zip, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    """Write files, and links by their targets, into a .tar or .tar.gz, and return its path."""
    mode = "w:gz" if path.name.endswith("gz") else "w"
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    """Each file compressed by itself."""
    return {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
