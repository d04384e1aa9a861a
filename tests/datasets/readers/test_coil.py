"""COIL's readers on PNG files that Pillow wrote."""

import numpy as np
import pytest
from original_files import picture, tarred, write, zipped

from interpreg import datasets
from interpreg.datasets.readers import pictures


def view(thing: int, k: int, colour: bool = True) -> np.ndarray:
    """128 x 128 pixels that tell the thing and the view: blocks of 8 x 8, which compress well."""
    rng = np.random.default_rng(1000 * thing + k)
    blocks = rng.integers(0, 256, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return blocks if colour else blocks[..., 0]


def coil(things: list[int], step: int = 5, colour: bool = True) -> dict[str, bytes]:
    return {f"obj{i}__{k * step}.png": picture(view(i, k, colour)) for i in things for k in range(72)}


FILES = coil([2, 11])


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_chosen_objects_come_in_their_order_with_their_angles(tmp_path, kind: str) -> None:
    files = {f"coil-100/{name}": content for name, content in sorted(FILES.items())}  # not in the order of angles
    path = {
        "folder": lambda: write(tmp_path / "c", files),
        "zip": lambda: zipped(tmp_path / "c.zip", files),
        "tar.gz": lambda: tarred(tmp_path / "c.tar.gz", files),
    }[kind]()
    read = datasets.coil100(path, objects=(11, 2))
    assert (read.images.shape, read.labels.tolist()) == ((144, 3, 128, 128), [11] * 72 + [2] * 72)
    assert read.parameters[:, 0].tolist() == [5.0 * k for k in range(72)] * 2
    assert (read.period, read.units, read.name) == ((360.0,), ("angle (degrees)",), "coil100")
    for row, thing, k in [(0, 11, 0), (71, 11, 71), (72 + 20, 2, 20)]:
        np.testing.assert_array_equal(read.images[row].numpy(), view(thing, k).transpose(2, 0, 1))


def test_the_grey_set_numbers_its_views_one_by_one(tmp_path) -> None:
    read = datasets.coil20(write(tmp_path, coil([3], step=1, colour=False)), objects=[3])
    assert (read.images.shape, read.parameters[:3, 0].tolist()) == ((72, 1, 128, 128), [0.0, 5.0, 10.0])
    np.testing.assert_array_equal(read.images[10, 0].numpy(), view(3, 10, colour=False))


@pytest.mark.parametrize("size", [128, 64, 32, 8])
def test_reduced_images_are_means_of_blocks(tmp_path, size: int) -> None:
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, 256, (128, 128, 3), np.uint8)
    write(tmp_path, coil([2]) | {"obj2__35.png": picture(noisy)})
    read = datasets.coil100(tmp_path, objects=[2], size=size)
    k = 128 // size
    means = noisy.reshape(size, k, size, k, 3).astype(float).mean((1, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(read.images[7].numpy(), np.floor(means + 0.5).astype(np.uint8))


def test_everything_must_be_there_unless_objects_are_chosen(tmp_path) -> None:
    write(tmp_path, FILES)
    home = r"COIL-100 is 7,200 files.*https://cave.cs.columbia.edu/repository/COIL-100"
    with pytest.raises(FileNotFoundError, match=f"no obj1__0.png, obj1__5.png, .* and 7051 more; {home}"):
        datasets.coil100(tmp_path)
    (tmp_path / "obj2__125.png").unlink()
    assert len(datasets.coil100(tmp_path, objects=[11], size=8)) == 72
    with pytest.raises(FileNotFoundError, match=r"no obj2__125.png; COIL-100"):
        datasets.coil100(tmp_path, objects=[11, 2])


GOOD = FILES["obj2__0.png"]
PIXELS = np.zeros((128, 128, 3), np.uint8)


@pytest.mark.parametrize(("content", "message"), [
    (picture(PIXELS[:64, :64]), "expected 128 x 128 pixels of mode RGB, got 64 x 64 of mode RGB"),
    (picture(PIXELS[..., 0]), "expected 128 x 128 pixels of mode RGB, got 128 x 128 of mode L"),
    (picture(PIXELS, "JPEG"), "not a PNG file"),
    (picture(PIXELS, "BMP"), r"not a PNG file|expected at most"),
    (b"", "expected content, got an empty file"),
    (GOOD[:-20], "a PNG file that is truncated or corrupt"),
    (GOOD[:60] + bytes([GOOD[60] ^ 1]) + GOOD[61:], "a PNG file that is truncated or corrupt"),
    (bytes(2**20 + 1), "expected at most 1048576 bytes, got 1048577"),
])  # fmt: skip
def test_files_that_are_something_else(tmp_path, content: bytes, message: str) -> None:
    write(tmp_path, FILES | {"obj2__0.png": content})
    with pytest.raises(ValueError, match=rf"obj2__0.png: ({message})"):
        datasets.coil100(tmp_path, objects=[2])


def test_a_huge_image_is_refused_before_it_is_decoded() -> None:
    """A few hundred bytes that would take 900 MB: its size is looked at first."""
    png = bytearray(picture(np.zeros((1, 1), np.uint8)))
    png[16:24] = (30_000).to_bytes(4, "big") * 2
    png[29:33] = pictures.zlib.crc32(png[12:29]).to_bytes(4, "big")
    with pytest.raises(ValueError, match=r"here: not a PNG file, or corrupt.*decompression bomb"):
        pictures.opened(bytes(png), "PNG", "L", (128, 128), "here")


@pytest.mark.parametrize(("options", "message"), [
    ({"objects": [0]}, "objects: expected an int of at least 1"),
    ({"objects": [101]}, "objects: expected different ids of 1 to 100"),
    ({"objects": [2, 2]}, "objects: expected different ids"),
    ({"objects": []}, "objects: expected different ids"),
    ({"objects": [2], "size": 48}, "size: expected a divisor of 128, the images' size, got 48"),
    ({"objects": [2], "size": 256}, "size: expected a divisor of 128"),
    ({"objects": [2], "size": 0}, "size: expected an int of at least 1, got 0"),
])  # fmt: skip
def test_bad_options_are_named(tmp_path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.coil100(write(tmp_path, FILES), **options)


def test_the_archive_is_checked_only_when_asked(tmp_path) -> None:
    path = zipped(tmp_path / "coil-100.zip", FILES)
    assert len(datasets.coil100(path, objects=[2], size=8)) == 72
    with pytest.raises(ValueError, match=r"the official coil-100.zip of COIL-100, sha256 fcb4b8b01c0778f4.*, got"):
        datasets.coil100(path, objects=[2], checksum="full")
    with pytest.raises(ValueError, match=r"checksum='full' needs the official coil-20-proc.tar.gz of COIL-20"):
        datasets.coil20(path, objects=[2], checksum="full")
    with pytest.raises(ValueError, match="checksum: expected True, False or 'full', got 2"):
        datasets.coil100(path, objects=[2], checksum=2)


def arrays() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 3), np.uint8)
    return {"X": x, "object_id": np.array([5, 9, 31]), "angle": np.array([0, 90, 180, 270])}


def test_numpy_archives(tmp_path) -> None:
    given = arrays()
    np.savez_compressed(tmp_path / "a.npz", **given)
    read = datasets.coil100(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.images.numpy(), given["X"].reshape(12, 8, 8, 3).transpose(0, 3, 1, 2))
    assert read.labels.tolist() == [5] * 4 + [9] * 4 + [31] * 4
    assert read.parameters[:, 0].tolist() == [0.0, 90.0, 180.0, 270.0] * 3
    some = datasets.coil100(tmp_path / "a.npz", objects=[31, 5], size=4)
    assert (some.labels.tolist(), some.images.shape) == ([31] * 4 + [5] * 4, (8, 3, 4, 4))
    with pytest.raises(FileNotFoundError, match="no object 1, 2; COIL-100"):
        datasets.coil100(tmp_path / "a.npz", objects=[5, 2, 1])


@pytest.mark.parametrize(("key", "value"), [
    ("X", arrays()["X"][0]),
    ("object_id", np.array([5, 9])),
    ("angle", np.array([0, 90, 180])),
    ("angle", np.array([0, 90, 180, np.nan])),
    ("object_id", np.array(["a", "b", "c"])),
])  # fmt: skip
def test_numpy_archives_of_something_else(tmp_path, key: str, value: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", **arrays() | {key: value})
    with pytest.raises(ValueError, match=r"a.npz: expected X \[objects, views, H, W, 3\], object_id"):
        datasets.coil100(tmp_path / "a.npz")
