"""Calls side by side, bounded."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    executor: Executor, work: Callable[[Item], Result], items: Sequence[Item], *, lanes: int
) -> list[Result]:
    """The results of the work on each of the items, in their order.

    The calling thread works as well: it goes on although others have all threads of the executor.

    Args:
        executor: has the other threads; the work itself must not wait for it.
        work: is done with each item; its first exception ends the work and is raised.
        items: begun in their order.
        lanes: how many of them are worked on at a time.
    """
    results: dict[int, Result] = {}
    todo = deque(enumerate(items))

    def take() -> tuple[int, Item] | None:
        try:
            return todo.popleft()
        except IndexError:
            return None

    def lane() -> None:
        try:
            for place, item in iter(take, None):
                results[place] = work(item)
        finally:
            # Nothing is left, or the work failed.
            todo.clear()

    helpers = [executor.submit(lane) for _ in range(min(lanes, len(items)) - 1)]
    try:
        lane()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    return [results[place] for place in range(len(items))]
