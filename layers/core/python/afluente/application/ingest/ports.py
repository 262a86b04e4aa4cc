"""Ports of ingest: the queue of packs, and the quarantine."""

from collections.abc import Sequence
from typing import Protocol

from afluente.application.ingest.packs import Pack, SeriesPack
from afluente.application.ingest.quarantine import QuarantinedRecord


class PackQueue(Protocol):
    """The queue between the transports and the classifier."""

    def send(self, packs: Sequence[Pack | SeriesPack]) -> None:
        """Queue the packs, those of one group in the order given.

        On return every point is durable. A pack whose points were queued within the last five minutes changes nothing.

        Raises:
            UnavailableError: not every pack is queued; sending all of them again is safe.
        """
        ...


class Quarantine(Protocol):
    """The store of records that were not accepted."""

    def put(self, record: QuarantinedRecord) -> None:
        """Store the record; one with the same id replaces it.

        Raises:
            UnavailableError: the record is not stored.
        """
        ...
