"""CelebA's reader on JPEG files that Pillow wrote."""

from pathlib import Path

import numpy as np
import pytest
from original_files import picture, tarred, write, zipped
from PIL import Image

from interpreg import datasets

NAMES = [f"{i:06}.jpg" for i in range(1, 8)]
PARTS = [0, 0, 0, 1, 1, 2, 0]
SMILING = [1, -1, 1, 1, -1, -1, -1]


def face(i: int) -> np.ndarray:
    """178 x 218: a bright frame that the crop must take away, a smooth middle of its own inside."""
    image = np.full((218, 178, 3), 255, np.uint8)
    ramp = np.linspace(20, 20 + 20 * i, 146).astype(np.uint8)
    image[36:182, 16:162] = ramp[:, None, None] // np.array([1, 2, 3])
    return image


JPEGS = {name: picture(face(i), "JPEG", quality=100, subsampling=0) for i, name in enumerate(NAMES)}
LISTS = {
    "list_eval_partition.txt": "".join(f"{n} {p}\n" for n, p in zip(NAMES, PARTS, strict=True)).encode(),
    "list_attr_celeba.txt": (
        "7\nBald Smiling\n" + "".join(f"{n} -1  {s}\n" for n, s in zip(NAMES, SMILING, strict=True))
    ).encode(),
}
IMAGES = {f"img_align_celeba/{name}": content for name, content in JPEGS.items()}


def placed(tmp_path: Path, kind: str) -> Path:
    if kind == "extracted":
        return write(tmp_path / "celeba", IMAGES | LISTS)
    if kind == "tar.gz":
        return tarred(tmp_path / "c.tar.gz", LISTS | dict(reversed(IMAGES.items())))
    write(tmp_path / "celeba", {"Anno/list_attr_celeba.txt": LISTS["list_attr_celeba.txt"]})
    write(tmp_path / "celeba", {"Eval/list_eval_partition.txt": LISTS["list_eval_partition.txt"]})
    (tmp_path / "celeba/Img").mkdir()
    if kind == "official":
        zipped(tmp_path / "celeba/Img/img_align_celeba.zip", IMAGES)
        return tmp_path / "celeba"
    write(tmp_path / "celeba/Img", LISTS)
    return zipped(tmp_path / "celeba/Img/img_align_celeba.zip", IMAGES)


@pytest.mark.parametrize("kind", ["extracted", "tar.gz", "official", "the zip itself"])
def test_every_place_gives_the_same(tmp_path: Path, kind: str) -> None:
    path = placed(tmp_path, kind)
    read = datasets.celeba(path, attribute="Smiling", checksum=False)
    assert (read.images.shape, read.labels.tolist()) == ((4, 3, 32, 32), [1, 0, 1, 0])
    assert read.name == "celeba"
    for row, i in enumerate([0, 1, 2, 6]):
        middle = Image.fromarray(face(i)[36:182, 16:162]).resize((32, 32), Image.Resampling.BICUBIC)
        expected = np.asarray(middle).transpose(2, 0, 1).astype(int)
        assert np.abs(read.images[row].numpy().astype(int) - expected).max() <= 8  # JPEG's own error
    assert read.images.max() < 180  # nothing of the frame
    assert len(datasets.celeba(path, "valid", checksum=False)) == 2
    test = datasets.celeba(path, "test", size=64, checksum=False)
    assert test.images.shape == (1, 3, 64, 64)
    assert test.labels is None


def test_lists_that_are_something_else(tmp_path: Path) -> None:
    path = placed(tmp_path, "extracted")
    with pytest.raises(ValueError, match=r"official list_eval_partition.txt of CelebA.*md5 d32c9cbf5e040fd4025c5"):
        datasets.celeba(path)
    with pytest.raises(ValueError, match="attribute: expected one of 'Bald', 'Smiling', got 'Happy'"):
        datasets.celeba(path, attribute="Happy", checksum=False)
    attributes = LISTS["list_attr_celeba.txt"].replace(b"000003.jpg -1  1", b"000003.jpg -1  2")
    write(path, {"list_attr_celeba.txt": attributes})
    with pytest.raises(ValueError, match=r"expected 1 or -1 for 000003.jpg, got 2"):
        datasets.celeba(path, attribute="Smiling", checksum=False)
    write(path, {"list_eval_partition.txt": b"000001.jpg 0\n000002.jpg 3\n"})
    with pytest.raises(ValueError, match=r"line 2: expected a name and 0, 1 or 2, got .'000002.jpg', '3'."):
        datasets.celeba(path, checksum=False)


def test_the_whole_zip_is_checked_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = placed(tmp_path, "official")
    about = type(datasets.readers.celeba.__globals__["CELEBA"])
    monkeypatch.setattr(about, "check", lambda *_: None)  # the lists'
    assert len(datasets.celeba(path, checksum=True)) == 4
    with pytest.raises(ValueError, match=r"img_align_celeba.zip of .*, md5 00d2c5bc6d35e252742224ab0c1e8fcb, got"):
        datasets.celeba(path, checksum="full")
    with pytest.raises(ValueError, match="checksum: expected True, False or 'full', got 'half'"):
        datasets.celeba(path, checksum="half")


def test_what_is_missing_is_named_with_its_home(tmp_path: Path) -> None:
    home = r"CelebA .* is img_align_celeba.zip, .*https://mmlab.ie.cuhk.edu.hk"
    with pytest.raises(FileNotFoundError, match=f"no list_eval_partition.txt; {home}"):
        datasets.celeba(tmp_path, checksum=False)
    path = placed(tmp_path, "extracted")
    (path / "img_align_celeba/000002.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=f"no 000002.jpg; {home}"):
        datasets.celeba(path, checksum=False)
    assert len(datasets.celeba(path, "test", checksum=False)) == 1


@pytest.mark.parametrize(("content", "message"), [
    (picture(face(1)[:100], "JPEG"), "expected 178 x 218 pixels of mode RGB, got 178 x 100"),
    (picture(face(1), "PNG"), "not a JPEG file, or corrupt"),
    (JPEGS["000002.jpg"][:3000], "corrupt"),
    (b"", "expected content, got an empty file"),
])  # fmt: skip
def test_images_that_are_something_else(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, IMAGES | LISTS | {"img_align_celeba/000002.jpg": content})
    with pytest.raises(ValueError, match=rf"000002.jpg: .*({message})"):
        datasets.celeba(tmp_path, checksum=False)


def test_numpy_archives(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "a.npz", X=x)
    read = datasets.celeba(tmp_path / "a.npz")
    assert read.labels is None
    np.testing.assert_array_equal(read.images.numpy(), x.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match="expected images of 64 x 64"):
        datasets.celeba(tmp_path / "a.npz", size=64)
    with pytest.raises(ValueError, match=r"attribute: expected None for an .npz file"):
        datasets.celeba(tmp_path / "a.npz", attribute="Smiling")
