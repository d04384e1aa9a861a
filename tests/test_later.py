"""Numbers that are read without waiting: at once on the host, at a later look from a device."""

import copy
import pickle

import torch

from interpreg import _later


class Event:
    """A copy from a device that has arrived, or has not."""

    arrived = False

    def query(self) -> bool:
        return self.arrived


def test_looks_are_at_powers_of_two() -> None:
    assert [calls for calls in range(1, 100) if _later.is_look(calls)] == [1, 2, 4, 8, 16, 32, 64]


def test_numbers_of_the_host_are_read_at_once() -> None:
    assert _later.Later().read(lambda: torch.tensor([1.0, 2.5])) == [1.0, 2.5]


def test_numbers_that_are_on_their_way_are_not_waited_for() -> None:
    later, event = _later.Later(), Event()
    later._pending = torch.tensor([3.0]), event
    assert later.read(lambda: torch.tensor([4.0])) is None
    event.arrived = True
    assert later.read(lambda: torch.tensor([4.0])) == [3.0]
    assert later.read(lambda: torch.tensor([4.0])) == [4.0]


def test_a_copy_has_nothing_on_its_way() -> None:
    later = _later.Later()
    later._pending = torch.tensor([3.0]), Event()
    for twin in (copy.deepcopy(later), pickle.loads(pickle.dumps(later))):
        assert twin.read(lambda: torch.tensor([4.0])) == [4.0]
