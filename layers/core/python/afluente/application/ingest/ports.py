"""Ports of ingest: the queue of packs, the slots of bulk in it, and the quarantine."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from afluente.application.ingest.packs import Pack, SealedPack, SeriesPack
from afluente.application.ingest.quarantine import QuarantinedRecord

BULK_PACKS_A_GROUP = 2
"""Packs of bulk that a message group has in the queue at a time: one is classified while the next waits."""

BULK_SLOT_SECONDS = 900
"""Time after which a slot expires that nobody releases: longer than a pack stays in the queue, unless its group stands
still. One that stands still for longer gets two more packs each time."""


class PackQueue(Protocol):
    """The queue between the transports and the classifier."""

    def send(self, packs: Sequence[Pack]) -> None:
        """Queue the packs, those of one group in the order given.

        On return every point is durable. A pack whose points were queued within the last five minutes changes nothing.

        Raises:
            UnavailableError: not every pack is queued; sending all of them again is safe.
        """
        ...


class BulkQueue(Protocol):
    """The same queue, for packs that are sent one by one."""

    def seal(self, pack: SeriesPack) -> Sequence[SealedPack]:
        """The messages of a pack, in their order: one, unless it is too large; the same for the same points."""
        ...

    def send(self, pack: SealedPack) -> int:
        """Queue a pack; on return its points are durable.

        Returns:
            Its sequence number in the group; of a pack that was queued within the last five minutes, that of then.

        Raises:
            UnavailableError: it may not be queued; sending it again is safe.
        """
        ...


class HeldSlot(msgspec.Struct, frozen=True):
    """A slot that was acquired.

    Attributes:
        released_through: sequence number of the last pack of the group that released a slot before; 0 for none. A pack
            that the queue numbers no higher was classified already: nobody else will release its slot.
    """

    released_through: int = 0


class BulkSlots(Protocol):
    """The slots of a message group: packs of bulk that it may have in the queue at a time.

    A slot that is never released expires, so a sender that is gone for good holds up its group for a time only.
    """

    def acquire(self, group: str, token: str) -> HeldSlot | None:
        """Acquire a slot, or the same again; None while others hold all slots.

        Args:
            group: the message group.
            token: of the pack; whoever acquires by the same token has the same slot.

        Raises:
            UnavailableError: the store does not answer; the slot may be held all the same.
        """
        ...

    def release(self, group: str, token: str, sequence_number: int) -> None:
        """Release the slot of a pack whose states are saved, or that left the queue another way; again is harmless.

        Args:
            group: the message group.
            token: of the pack.
            sequence_number: of the pack in its group.

        Raises:
            UnavailableError: it may not be released, and expires. That is no reason to retry the pack.
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
