"""Files that are there whole or not at all."""

import pytest

from interpreg._files import atomic_write


def test_a_file_is_there_when_it_is_whole(tmp_path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("half", [path])


def test_what_fails_leaves_the_old_one(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as partial:
            partial.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
