"""In-memory twins of the ports of ingest."""

from collections.abc import Callable, Sequence

from afluente.adapters.codecs.packs import decode_pack, encode_pack, encode_rows, rows_of, slot_of
from afluente.application.ingest.packs import Pack, ReceivedPack, SealedPack, SeriesPack
from afluente.application.ingest.ports import HeldSlot
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.redaction import redacted_record


class MemoryPackQueue:
    """Packs as `ReceivedPack`s, numbered in order of arrival, without repeated ones."""

    def __init__(self) -> None:
        self.packs: list[ReceivedPack] = []
        self._seen: set[tuple[str, str]] = set()

    def send(self, packs: Sequence[Pack]) -> None:
        for pack in packs:
            points = pack.points
            identity = (pack.group, encode_pack(points).deduplication_id)
            if identity not in self._seen:
                self._seen.add(identity)
                number = len(self.packs)
                self.packs.append(ReceivedPack(str(number), pack.group, number, points, pack.transport))


class MemoryBulkQueue:
    """The same packs, as their senders of bulk see them.

    Args:
        packs: by group, slot and points; a pack that is repeated is not queued again, however late.
    """

    def __init__(self) -> None:
        self.packs: list[ReceivedPack] = []
        self._numbers: dict[tuple[str, str], int] = {}

    @staticmethod
    def seal(pack: SeriesPack) -> Sequence[SealedPack]:
        rows = rows_of(pack.series)
        encoded = encode_rows(pack.domain, pack.source_id, rows, pack.ingested_at, pack.transport, holds_slot=True)
        slot = slot_of(encoded.deduplication_id)
        return [SealedPack(pack.group, slot, len(rows), encoded.body, encoded.deduplication_id)]

    def send(self, pack: SealedPack) -> int:
        identity = (pack.group, pack.deduplication_id)
        if identity not in self._numbers:
            number = self._numbers[identity] = len(self._numbers) + 1
            decoded = decode_pack(pack.body)
            self.packs.append(
                ReceivedPack(str(number), pack.group, number, decoded.points, decoded.transport, decoded.slot)
            )
        return self._numbers[identity]


class MemorySlots:
    """Slots by group.

    Args:
        limit: slots of a group.
        lease_seconds: time after which a slot expires.
        clock: Unix seconds.
    """

    def __init__(self, *, limit: int, lease_seconds: float, clock: Callable[[], float]) -> None:
        self.held: dict[str, dict[str, float]] = {}
        self._released_through: dict[str, int] = {}
        self._limit = limit
        self._lease_seconds = lease_seconds
        self._clock = clock

    def acquire(self, group: str, token: str) -> HeldSlot | None:
        now = self._clock()
        held = {other: until for other, until in self.held.get(group, {}).items() if until > now or other == token}
        if token not in held and len(held) >= self._limit:
            return None
        self.held[group] = {**held, token: now + self._lease_seconds}
        return HeldSlot(self._released_through.get(group, 0))

    def release(self, group: str, token: str, sequence_number: int) -> None:
        self.held.get(group, {}).pop(token, None)
        self._released_through[group] = sequence_number


class MemoryQuarantine:
    """Quarantined records by id."""

    def __init__(self) -> None:
        self.records: dict[str, QuarantinedRecord] = {}

    def put(self, record: QuarantinedRecord) -> None:
        self.records[record.record_id] = redacted_record(record)
