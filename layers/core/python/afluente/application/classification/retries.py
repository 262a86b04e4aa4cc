"""Retries of packs: with a backoff, and up to a number of tries."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from afluente.application.backoff import backoff_seconds
from afluente.application.classification.classify_pack import release_slot
from afluente.application.classification.classify_packs import FailedPack
from afluente.application.classification.ports import PackTries
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.ports import BulkSlots

MAX_TRIES = 60
"""Tries of a pack, at most a minute apart: a dependency may be unavailable for almost an hour."""

UNCOUNTED_BACKOFF_SECONDS = 5
"""Until a pack is retried whose tries are not known."""


class DeadLetters(Protocol):
    """The dead-letter queue of packs."""

    def move(self, pack: ReceivedPack) -> None:
        """Put a pack into the dead-letter queue; moving it twice puts it there once.

        Raises:
            UnavailableError: it is not there.
        """
        ...


class PackRetry(msgspec.Struct, frozen=True):
    """A pack that is retried after some seconds."""

    pack: ReceivedPack
    seconds: int


class RetryPacks:
    """Decides when failed packs are retried, and moves those that failed too often to the dead-letter queue.

    Args:
        tries: counts of failed tries.
        dead_letters: the dead-letter queue.
        slots: of packs of bulk, released when a pack is moved.
    """

    def __init__(self, *, tries: PackTries, dead_letters: DeadLetters, slots: BulkSlots) -> None:
        self._tries = tries
        self._dead_letters = dead_letters
        self._slots = slots

    def __call__(self, failed: Sequence[FailedPack]) -> tuple[Sequence[PackRetry], Sequence[FailedPack]]:
        """Decide on failed packs.

        Returns:
            The packs that are retried, and those that were moved, which the queue may delete.
        """
        retried: list[PackRetry] = []
        moved: list[FailedPack] = []
        for one in failed:
            seconds = self._retry_after(one.pack)
            if seconds is None:
                moved.append(one)
            else:
                retried.append(PackRetry(one.pack, seconds))
        return retried, moved

    def _retry_after(self, pack: ReceivedPack) -> int | None:
        """Seconds until a pack is retried; None if it was moved."""
        try:
            tries = self._tries.count(pack.group, pack.sequence_number)
            if tries < MAX_TRIES:
                return backoff_seconds(tries)
            self._dead_letters.move(pack)
        except UnavailableError:
            return UNCOUNTED_BACKOFF_SECONDS
        release_slot(self._slots, pack)
        return None
