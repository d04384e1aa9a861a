"""Single PNG and JPEG files; only images of the expected format, mode and size are decoded."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from interpreg._extras import optional_import
from interpreg._progress import progress
from interpreg.datasets.readers.about import Bytes
from interpreg.datasets.readers.archives import value_errors
from interpreg.datasets.readers.files import Files

CORRUPTION_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def each(
    files: Files, names: Sequence[str], form: str, mode: str, size: tuple[int, int], limit: int
) -> Iterator[tuple[int, Any]]:
    """The decoded images called ``names``, all different, and their positions among these, in the archive's order.

    ``limit`` is of a file's bytes; ``form``, ``mode`` and ``size`` are as for :func:`opened`.
    """
    place = {full: i for i, full in enumerate(files.require_all(names))}
    for full, content in progress(files.each(place, limit), files.about.title, total=len(place)):
        yield place[full], opened(content, form, mode, size, files.where(full))


def opened(content: bytes, form: str, mode: str, size: tuple[int, int], where: str) -> Any:
    """A decoded image of Pillow's.

    Args:
        content: of the file.
        form: "PNG" or "JPEG"; no other decoder is tried.
        mode: "L" for grey, "RGB" for colour.
        size: the required width and height, checked before decoding.
        where: the file, for messages.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: it is of another format, mode or size, or corrupt.
    """
    pillow = optional_import("PIL.Image", "data", f"reading {form} files")
    if form == "PNG":
        check_png(content, where)
    errors = (*CORRUPTION_ERRORS, pillow.DecompressionBombError, pillow.DecompressionBombWarning)
    with value_errors(f"{where}: not a {form} file, or corrupt", errors), catch_warnings():
        simplefilter("error", pillow.DecompressionBombWarning)
        image = pillow.open(BytesIO(content), formats=[form])
    if image.size != size or image.mode != mode:
        raise ValueError(
            f"{where}: expected {size[0]} x {size[1]} pixels of mode {mode}, "
            f"got {image.size[0]} x {image.size[1]} of mode {image.mode}"
        )
    with value_errors(f"{where}: cannot be decoded, the file is corrupt", CORRUPTION_ERRORS):
        image.load()
    return image


def array(image: Any) -> Bytes:
    """A Pillow image as uint8 ``[C, H, W]``."""
    pixels: Bytes = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def check_png(content: bytes, where: str) -> None:
    """Raise ``ValueError`` unless the bytes are a complete PNG file whose chunks have their checksums."""
    if not content.startswith(SIGNATURE):
        raise ValueError(f"{where}: not a PNG file")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        head = content[at : at + 8]
        length = int.from_bytes(head[:4], "big")
        body = content[at + 4 : at + 8 + length]
        check = content[at + 8 + length : at + 12 + length]
        if len(check) != 4 or zlib.crc32(body) != int.from_bytes(check, "big"):
            raise ValueError(f"{where}: a PNG file that is truncated or corrupt at byte {at}")
        at, kind = at + 12 + length, head[4:]
