"""Calls side by side: results in order, bounded, and never held up by an executor that others use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest

from afluente.adapters.aws.side_by_side import side_by_side


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_results_are_in_the_order_of_the_items(executor: ThreadPoolExecutor, count: int) -> None:
    assert side_by_side(executor, lambda item: item * 2, range(count), lanes=4) == [item * 2 for item in range(count)]


def test_so_many_items_as_lanes_are_worked_on_at_a_time(executor: ThreadPoolExecutor) -> None:
    together, lock = Barrier(4, timeout=10), Lock()
    working = most = 0

    def work(item: int) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        together.wait()
        with lock:
            working -= 1
        return item

    side_by_side(executor, work, range(12), lanes=4)

    assert most == 4


def test_the_caller_goes_on_although_others_have_all_threads(executor: ThreadPoolExecutor) -> None:
    free = Event()
    others = [executor.submit(free.wait, 10) for _ in range(8)]

    assert side_by_side(executor, str, range(5), lanes=4) == ["0", "1", "2", "3", "4"]

    assert not any(other.done() for other in others)
    free.set()


@pytest.mark.parametrize("failing", [0, 5, 99])
def test_the_first_exception_ends_the_work_and_is_raised(executor: ThreadPoolExecutor, failing: int) -> None:
    def work(item: int) -> None:
        if item == failing:
            raise IndexError(item)

    with pytest.raises(IndexError, match=str(failing)):
        side_by_side(executor, work, range(100), lanes=4)
