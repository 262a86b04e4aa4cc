"""Locks that the operating system releases when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `path` for the block, waiting for its present holder.

    Args:
        path: the lock file; it is made where there is none, and stays.
        on_wait: called once if somebody else holds the lock.
    """
    descriptor = _open(path)
    try:
        if not _try_lock(descriptor):
            on_wait()
            while not _try_lock(descriptor):
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def hold_until_exit(path: Path, *, seconds: float) -> bool:
    """Acquire the lock at `path` for the life of this process; False if another process holds it.

    Args:
        path: the lock file.
        seconds: time to try for, since `is_held` acquires a free lock for an instant.
    """
    descriptor = _open(path)
    deadline = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            return False
        time.sleep(0.01)
    return True


def is_held(path: Path) -> bool:
    """True if a living process holds the lock at `path`."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Not inherited by child processes (PEP 446): a function's worker must not keep its emulator's lock.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
