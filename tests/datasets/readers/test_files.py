"""Folders and archives are one thing, and nothing in an archive points out of it."""

import builtins
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from original_files import mnist_files, tarred, write, zipped

from interpreg.datasets import mnist
from interpreg.datasets.readers import npz
from interpreg.datasets.readers.about import About
from interpreg.datasets.readers.files import gunzip, opened

ABOUT = About("things", "Things", "https://example.org/things", "files called thing")
CONTENT = {"top.txt": b"top", "some/deep/thing.bin": b"\0" * 1000, "some/other.bin": b"other"}
KINDS = {
    "folder": lambda tmp: write(tmp / "folder", CONTENT),
    "zip": lambda tmp: zipped(tmp / "a.zip", CONTENT),
    "tar": lambda tmp: tarred(tmp / "a.tar", CONTENT),
    "tar.gz": lambda tmp: tarred(tmp / "a.tar.gz", CONTENT),
    "tgz": lambda tmp: tarred(tmp / "A.TGZ", CONTENT),
}


@pytest.fixture(params=KINDS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return KINDS[request.param](tmp_path)


def test_all_kinds_list_find_and_read_the_same(path: Path) -> None:
    with opened(path, ABOUT) as files:
        assert files.sizes == {name: len(content) for name, content in CONTENT.items()}
        assert files.find("absent", "thing.bin") == "some/deep/thing.bin"
        assert files.find("absent") is None
        assert files.read("some/other.bin", 5) == b"other"
        found = dict(files.each(["some/other.bin", "top.txt"], 99))
        assert found == {"top.txt": b"top", "some/other.bin": b"other"}
        with pytest.raises(FileNotFoundError, match=r"no absent; Things is files called thing, from https:"):
            files.require("absent")
        with pytest.raises(FileNotFoundError, match="no gone, away; Things"):
            files.require_all(["top.txt", "gone", "away"])
        with pytest.raises(ValueError, match=r"thing.bin: expected at most 999 bytes, got 1000"):
            files.read("some/deep/thing.bin", 999)
    assert not (path.parent / "some").exists()  # nothing was extracted


def refused(path: Path, message: str, error: type[Exception] = ValueError) -> None:
    """Before anything in it is read."""
    with pytest.raises(error, match=message), opened(path, ABOUT):
        pass


def test_two_files_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, {"a/x": b"1", "b/x": b"2"})
    with opened(tmp_path, ABOUT) as files, pytest.raises(ValueError, match=r"expected one x, got a/x, b/x"):
        files.find("x")


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "..\\x", "C:\\x", "c:x", ".."])
def test_members_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    for path in (zipped(tmp_path / "a.zip", {name: b"x"}), tarred(tmp_path / "a.tar", {name: b"x"})):
        refused(path, "points out of it")


@pytest.mark.parametrize(("target", "fine"), [("../../x", False), ("/etc/passwd", False), ("../top.txt", True)])
def test_links_that_point_out_are_refused_and_others_left_out(tmp_path: Path, target: str, fine: bool) -> None:
    tar = tarred(tmp_path / "a.tar", {"top.txt": b"top"}, {"some/link": target})
    link = zipfile.ZipInfo("some/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("top.txt", "top")
        archive.writestr(link, target)
    for path in (tar, tmp_path / "a.zip"):
        if fine:
            with opened(path, ABOUT) as files:
                assert list(files.sizes) == ["top.txt"]
        else:
            refused(path, "points out of it")


def test_a_hard_link_that_points_out_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a/b/link")
        info.type, info.linkname = tarfile.LNKTYPE, "../x"  # counted from the top, not from a/b
        archive.addfile(info)
    refused(tmp_path / "a.tar", "points out of it")


def test_a_folders_links_to_files_are_followed(tmp_path: Path) -> None:
    write(tmp_path, {"outside/x": b"content", "inside/y": b"y"})
    (tmp_path / "inside" / "x").symlink_to(tmp_path / "outside" / "x")
    (tmp_path / "inside" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "inside" / "broken").symlink_to(tmp_path / "nowhere")
    with opened(tmp_path / "inside", ABOUT) as files:
        assert (sorted(files.sizes), files.read("x", 10)) == (["x", "y"], b"content")


def test_two_members_of_one_full_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("x", "./x"):
            archive.addfile(tarfile.TarInfo(name))
    refused(path, "expected one file of each name, got two called x")


def test_corrupt_archives_are_named(tmp_path: Path) -> None:
    whole = {p.name: p.read_bytes() for p in (KINDS[k](tmp_path) for k in ("zip", "tar.gz"))}
    for name, content in whole.items():
        for broken in (b"not an archive at all", content[: len(content) // 2]):
            path = tmp_path / name
            path.write_bytes(broken)
            refused(path, f"{name}: .*corrupt")


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:  # stored, so that the byte is the content's
        archive.writestr("x", b"sought content")
    content = (tmp_path / "a.zip").read_bytes().replace(b"sought", b"bought")
    (tmp_path / "a.zip").write_bytes(content)
    with opened(tmp_path / "a.zip", ABOUT) as files, pytest.raises(ValueError, match=r"a.zip: x: .*corrupt"):
        files.read("x", 100)


def test_an_archive_that_declares_too_much_is_stopped_before_it_is_unpacked(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.size = 17 * 2**30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf()))
    refused(tmp_path / "a.tar.gz", "expected at most 17179869184 bytes")


def test_what_is_no_folder_and_no_archive(tmp_path: Path) -> None:
    refused(tmp_path / "x", "no such folder or archive; Things is", FileNotFoundError)
    (tmp_path / "a.rar").write_bytes(b"x")
    refused(tmp_path / "a.rar", r"a.rar: expected a folder, or a file that ends in .npz, .zip")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_may_not_be_read_is_not_called_corrupt(kind: str, tmp_path: Path, monkeypatch) -> None:
    path = KINDS[kind](tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for module in (builtins, io):
        monkeypatch.setattr(module, "open", refuse)
    with pytest.raises(PermissionError), opened(path, ABOUT) as files:
        files.read("top.txt", 9)


def test_gunzip_stops_at_its_limit_and_names_what_is_corrupt() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert gunzip(packed, 1000, "here") == b"x" * 1000
    with pytest.raises(ValueError, match="here: expected at most 999 bytes when decompressed"):
        gunzip(packed, 999, "here")
    flipped = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]  # in the checksum
    for broken in (b"plain", packed[:-10], flipped):
        with pytest.raises(
            ValueError, match="here: cannot be decompressed, the file is truncated or corrupt; get it again"
        ):
            gunzip(broken, 1000, "here")


def test_reading_in_the_archives_order(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar.gz", {f"{i}": bytes([i]) for i in (3, 1, 2)})
    with opened(path, ABOUT) as files:
        assert [name for name, _ in files.each(["1", "2", "3"], 9)] == ["3", "1", "2"]


def read_x(path: Path) -> bytes:
    if path.suffix == ".npz":
        return npz.Arrays(path, ABOUT).get("x").tobytes()
    with opened(path, ABOUT) as files:
        return files.read("x", 10)


PAGE, POINTER = (
    b"\n<!DOCTYPE html><html>please log in</html>",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d",
)
INSTEAD = {
    "a web page in place of the file": PAGE,
    "run git lfs pull": POINTER,
    "an empty file; get it again": b"",
}


@pytest.mark.fault(
    "Reports and files",
    "A web page, a Git LFS pointer or an empty file was saved under the name of an archive or of a data set's file.",
    now='`ValueError` that says which, and what to do; it was "corrupt"',
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.npz", "folder"])
@pytest.mark.parametrize("message", INSTEAD)
def test_what_lies_in_place_of_a_file_is_named(tmp_path: Path, name: str, message: str) -> None:
    if name == "folder":
        write(tmp_path / name, {"train-images-idx3-ubyte.gz": INSTEAD[message]})
    else:
        (tmp_path / name).write_bytes(INSTEAD[message])
    with pytest.raises(ValueError, match=message):
        mnist(tmp_path / name)


@pytest.mark.fault(
    "Reports and files",
    "A zip archive is encrypted, or compressed by deflate64 as Windows does with large files.",
    now='`ValueError` that says so, and to unpack it; it was "corrupt"',
)
@pytest.mark.parametrize(("offset", "value", "message"), [
    (6, 1, "x: is encrypted; unpack it with its password"),
    (8, 9, "x: is compressed by deflate64, which Python cannot read; unpack it"),
    (8, 97, "x: is compressed by method 97"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["a.zip", "a.npz"])
def test_zips_that_python_cannot_read_are_not_called_corrupt(tmp_path, name, offset, value, message) -> None:
    """The flags and the method are at 6 and 8 of a member's own header, and at 8 and 10 of the directory's."""
    content = bytearray(zipped(tmp_path / name, {"x": b"content"}).read_bytes())
    for start in (0, content.index(b"PK\x01\x02") + 2):
        content[start + offset] = value
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_x(tmp_path / name)


def test_an_archive_under_another_archives_name_is_told_to_be_renamed(tmp_path: Path) -> None:
    KINDS["zip"](tmp_path).rename(tmp_path / "b.tar.gz")
    refused(tmp_path / "b.tar.gz", "got a zip archive; rename it")
    KINDS["tar.gz"](tmp_path).rename(tmp_path / "b.zip")
    refused(tmp_path / "b.zip", "got a gzip file; rename it")
    (tmp_path / "c.zip").write_bytes(b"7z\xbc\xaf\x27\x1c")
    refused(tmp_path / "c.zip", "got a 7z archive; unpack it, and give the folder")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"x"))
    refused(tmp_path / "train-images-idx3-ubyte.gz", "give the folder that it is in")


@pytest.mark.fault(
    "Reports and files",
    "A path begins with `~`, which only a shell expands: `mnist('~/data/MNIST')`.",
    now="it is expanded everywhere; a path that is none is a `TypeError`",
)
def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "data", mnist_files())
    KINDS["zip"](tmp_path)
    with opened("~/a.zip", ABOUT) as files:
        assert len(files.sizes) == 3
    assert len(mnist("~/data", checksum=False)) == 12
    with pytest.raises(FileNotFoundError, match="no such file"):
        mnist("~/none.npz")
    for wrong in (None, 3, [tmp_path]):
        with pytest.raises(TypeError, match="path: expected a path, got"):
            mnist(wrong)
    with pytest.raises(ValueError, match="path: expected a path, got ''"):
        mnist("")
