"""In-memory twins of the ports of classification."""

from collections.abc import Mapping, Sequence

import msgspec

from afluente.application.classification.ports import Delivery, StaleStateError, StreamMemory
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey


class MemoryStreams:
    """Points of each class in the order in which they were put."""

    def __init__(self) -> None:
        self.points: dict[Classification, list[ClassifiedDataPoint]] = {name: [] for name in Classification}

    def put(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.points[delivery.classification] += delivery.points


class MemoryStates:
    """States of streams, with the message group of their packs."""

    def __init__(self) -> None:
        self.memories: dict[StreamKey, tuple[str, StreamMemory]] = {}

    def load(self, groups: Mapping[StreamKey, str]) -> "_LoadedMemory":
        return _LoadedMemory(self, groups, {key: self.memories.get(key) for key in groups})


class _LoadedMemory:
    def __init__(
        self,
        store: MemoryStates,
        groups: Mapping[StreamKey, str],
        read: Mapping[StreamKey, tuple[str, StreamMemory] | None],
    ) -> None:
        self._store = store
        self._groups = groups
        self._read = read

    def of(self, key: StreamKey) -> StreamMemory:
        group, memory = self._read[key] or (self._groups[key], StreamMemory())
        comparable = group == self._groups[key]
        return memory if comparable else msgspec.structs.replace(memory, last_pack=StreamMemory().last_pack)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        unsaved: dict[str, StaleStateError | UnavailableError] = {}
        for key, memory in changed.items():
            if self._store.memories.get(key) is self._read[key]:
                self._store.memories[key] = (self._groups[key], memory)
            else:
                unsaved[key.source] = StaleStateError(f"another writer saved {key}")
        return unsaved
