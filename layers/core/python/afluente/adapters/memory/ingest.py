"""In-memory twins of the ports of ingest."""

from collections.abc import Sequence

from afluente.adapters.codecs.packs import encode_pack
from afluente.application.ingest.packs import Pack, ReceivedPack, SeriesPack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.redaction import redacted_record


class MemoryPackQueue:
    """Packs as `ReceivedPack`s, numbered in order of arrival, without repeated ones."""

    def __init__(self) -> None:
        self.packs: list[ReceivedPack] = []
        self._seen: set[tuple[str, str]] = set()

    def send(self, packs: Sequence[Pack | SeriesPack]) -> None:
        for pack in packs:
            points = pack.points
            identity = (pack.group, encode_pack(points).deduplication_id)
            if identity not in self._seen:
                self._seen.add(identity)
                number = len(self.packs)
                self.packs.append(ReceivedPack(str(number), pack.group, number, points, pack.transport))


class MemoryQuarantine:
    """Quarantined records by id."""

    def __init__(self) -> None:
        self.records: dict[str, QuarantinedRecord] = {}

    def put(self, record: QuarantinedRecord) -> None:
        self.records[record.record_id] = redacted_record(record)
