"""In-memory twins of the ports of classification."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from afluente.application.classification.ports import (
    STREAMS_PER_SOURCE,
    Delivery,
    StaleStateError,
    StreamMemory,
    TimeLeft,
    TooManyStreamsError,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey


class MemoryStreams:
    """Points of each class in the order in which they were put."""

    def __init__(self) -> None:
        self.points: dict[Classification, list[ClassifiedDataPoint]] = {name: [] for name in Classification}

    def put(self, deliveries: Sequence[Delivery], *, time_left: TimeLeft) -> None:  # noqa: ARG002
        for delivery in deliveries:
            self.points[delivery.classification] += delivery.points


class MemoryPackTries:
    """Failed tries of packs, by group and sequence number."""

    def __init__(self) -> None:
        self.tries: Counter[tuple[str, int]] = Counter()

    def count(self, group: str, sequence_number: int) -> int:
        self.tries[group, sequence_number] += 1
        return self.tries[group, sequence_number]


class MemoryDeadLetters:
    """Packs that were moved, by the id of their message."""

    def __init__(self) -> None:
        self.packs: dict[str, ReceivedPack] = {}

    def move(self, pack: ReceivedPack) -> None:
        self.packs[pack.message_id] = pack


class MemoryStates:
    """States of streams, with the message group of their packs.

    Args:
        streams_per_source: streams that a source may have.
    """

    def __init__(self, *, streams_per_source: int = STREAMS_PER_SOURCE) -> None:
        self.memories: dict[StreamKey, tuple[str, StreamMemory]] = {}
        self.streams_per_source = streams_per_source

    def load(self, groups: Mapping[StreamKey, str]) -> "_LoadedMemory":
        return _LoadedMemory(self, groups)


class _LoadedMemory:
    def __init__(self, store: MemoryStates, groups: Mapping[StreamKey, str]) -> None:
        self.unavailable: Mapping[str, UnavailableError] = {}
        self._store = store
        self._groups = groups
        self._read = {key: store.memories.get(key) for key in groups}
        # Of sources that had a new stream: stored streams, and new ones that were admitted.
        self._streams: dict[str, set[StreamKey]] = {}
        self._unsaved: dict[str, StaleStateError | UnavailableError] = {}

    def of(self, key: StreamKey) -> StreamMemory:
        read = self._read[key]
        if read is None:
            self._admit(key)
            return StreamMemory()
        group, memory = read
        comparable = group == self._groups[key]
        return memory if comparable else msgspec.structs.replace(memory, last_pack=StreamMemory().last_pack)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        for key, memory in changed.items():
            if self._store.memories.get(key) is not self._read[key]:
                self._unsaved[key.source] = StaleStateError(f"another writer saved {key}")
            elif key.source not in self._unsaved:
                self._read[key] = self._store.memories[key] = (self._groups[key], memory)
        sources = {key.source for key in changed}
        return {source: error for source, error in self._unsaved.items() if source in sources}

    def _admit(self, key: StreamKey) -> None:
        if key.source not in self._streams:
            self._streams[key.source] = {known for known in self._store.memories if known.source == key.source}
        streams = self._streams[key.source]
        if key not in streams and len(streams) >= self._store.streams_per_source:
            raise TooManyStreamsError(self._store.streams_per_source)
        streams.add(key)
