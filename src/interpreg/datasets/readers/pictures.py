"""Single PNG and JPEG files; only images of the expected format, mode and size are decoded."""

import struct
import zlib
from io import BytesIO
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from interpreg._extras import optional_import
from interpreg.datasets.readers.about import Bytes

BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def opened(content: bytes, form: str, mode: str, size: tuple[int, int], where: str) -> Any:
    """A decoded image of Pillow's.

    Args:
        content: of the file.
        form: "PNG" or "JPEG"; no other decoder is tried.
        mode: "L" for grey, "RGB" for colour.
        size: width and height that it must have, which is looked at before anything is decoded.
        where: the file, for messages.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: it is of another format, mode or size, or corrupt.
    """
    pillow = optional_import("PIL.Image", "data", f"reading {form} files")
    if form == "PNG":
        check_png(content, where)
    try:
        with catch_warnings():
            simplefilter("error", pillow.DecompressionBombWarning)
            image = pillow.open(BytesIO(content), formats=[form])
    except (*BROKEN, pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ValueError(f"{where}: not a {form} file, or corrupt ({error})") from error
    if image.size != size or image.mode != mode:
        raise ValueError(
            f"{where}: expected {size[0]} x {size[1]} pixels of mode {mode}, "
            f"got {image.size[0]} x {image.size[1]} of mode {image.mode}"
        )
    try:
        image.load()
    except BROKEN as error:
        raise ValueError(f"{where}: cannot be decoded, the file is corrupt ({error})") from error
    return image


def array(image: Any) -> Bytes:
    """Pillow's image as uint8 ``[C, H, W]``."""
    pixels: Bytes = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def check_png(content: bytes, where: str) -> None:
    """Raise ``ValueError`` unless the bytes are a PNG file's, whole, every chunk with its right checksum."""
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
