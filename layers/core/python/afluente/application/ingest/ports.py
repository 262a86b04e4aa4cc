"""Ports of ingest: the queue of packs, and the quarantine."""

from collections.abc import Sequence
from typing import Protocol

from afluente.application.ingest.packs import Pack, SeriesPack
from afluente.application.ingest.quarantine import QuarantinedRecord


class PackQueue(Protocol):
    """The queue between the transports and the classifier."""

    def send(self, packs: Sequence[Pack]) -> None:
        """Queue the packs, those of one group in the order given.

        On return every point is durable. A pack whose points were queued within the last five minutes changes nothing.

        Raises:
            UnavailableError: not every pack is queued; sending all of them again is safe.
        """
        ...


class SeriesQueue(Protocol):
    """The same queue, for transports that bring series."""

    def send_series(self, pack: SeriesPack) -> None:
        """Queue a pack of series, as `PackQueue.send` does with a pack of the same points.

        Raises:
            UnavailableError: not all of it is queued; sending it again is safe.
        """
        ...


class Quarantine(Protocol):
    """Where records go that could not be taken."""

    def put(self, record: QuarantinedRecord) -> None:
        """Keep the record; one with the same id replaces it.

        Raises:
            UnavailableError: the record is not kept.
        """
        ...
