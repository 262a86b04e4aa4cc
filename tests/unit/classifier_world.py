"""All that is outside of the classifier, in memory: with faults before each effect on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryDeadLetters, MemoryPackTries, MemoryStates, MemoryStreams
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.ingest import MemoryQuarantine
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.classify_pack import ClassifyPack
from afluente.application.classification.classify_packs import BatchResult, ClassifyPacks
from afluente.application.classification.ports import (
    DamagedStateError,
    Delivery,
    LoadedStates,
    StaleStateError,
    StreamMemory,
    TimeLeft,
)
from afluente.application.classification.retries import RetryPacks
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.domain.alarms import AlarmEvent
from afluente.domain.constraints import VersionedConfig
from afluente.domain.stream_keys import StreamKey
from tests.factories import Clock, a_config

LIMITED: dict[str, Any] = {"max_value": 50, "abs_delta": 5, "consecutive_violations_required": 1, "cooldown_seconds": 0}


class CrashError(BaseException):
    """The function was killed: no code of its goes on."""


class World:
    """The ports of the classifier.

    Attributes:
        fault: is called before each effect, with its name and message group, and may raise.
        left: seconds that are left of the invocation; each effect takes `seconds` of them.
    """

    def __init__(self, *, streams_per_source: int = 10_000, **limits: Any) -> None:
        self.constraints = MemoryConstraints()
        if limits:
            self.constraints.put("iot", a_config(**limits))
        self.states = MemoryStates(streams_per_source=streams_per_source)
        self.streams = MemoryStreams()
        self.alarms = MemoryAlarms()
        self.quarantine = MemoryQuarantine()
        self.tries = MemoryPackTries()
        self.dead_letters = MemoryDeadLetters()
        self.clock = Clock()
        self.deliveries: list[Delivery] = []
        self.effects: list[str] = []
        self.released: list[tuple[str, str, int]] = []
        self.fault: Callable[[str, str], None] = lambda effect, group: None
        self.damaged: set[StreamKey] = set()
        self.unavailable: dict[str, UnavailableError] = {}
        self.left = 1000.0
        self.seconds = 0.0
        self._left = [self.left]
        self.quarantining = _Quarantine(self)
        classify = ClassifyPack(
            classifier=ConstraintClassifier(ConstraintsLookup(self, ttl_seconds=60, clock=self.clock)),
            streams=self,
            alarms=self,
            quarantine=self.quarantining,
            slots=self,
            clock=self.clock,
        )
        self.classify_in_time = ClassifyPacks(classify=classify, states=self, executor=_executor())
        self.retry = RetryPacks(tries=self, dead_letters=self.dead_letters, slots=self)

    def classify(self, packs: Sequence[ReceivedPack]) -> BatchResult:
        # Of this invocation alone: a thread that outlives it does not get the time of the next.
        self._left = left = [self.left]
        return self.classify_in_time(packs, lambda: left[0])

    # The ports, each with its faults:

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        self.fault("fetch", "")
        return self.constraints.fetch(scopes)

    def load(self, groups: Mapping[StreamKey, str]) -> LoadedStates:
        self.effect("load", "")
        return _Loaded(self, self.states.load(groups), groups)

    def put(self, deliveries: Sequence[Delivery], *, time_left: TimeLeft) -> None:
        self.effect("put", deliveries[0].group)
        self.deliveries += deliveries
        self.streams.put(deliveries, time_left=time_left)

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        self.effect("publish", "")
        self.alarms.publish(events)

    def save(
        self, loaded: LoadedStates, changed: Mapping[StreamKey, StreamMemory], group: str
    ) -> Mapping[str, StaleStateError | UnavailableError]:
        self.effect("save", group)
        return loaded.save(changed)

    def acquire(self, group: str, token: str) -> None:
        raise AssertionError("a classifier acquires no slot")

    def release(self, group: str, token: str, sequence_number: int) -> None:
        self.effect("release", group)
        self.released.append((group, token, sequence_number))

    def count(self, group: str, sequence_number: int) -> int:
        self.effect("count", group)
        return self.tries.count(group, sequence_number)

    def effect(self, name: str, group: str) -> None:
        self.effects.append(name)
        self.left -= self.seconds
        self._left[0] -= self.seconds
        self.fault(name, group)

    # What a test makes happen, and what it sees:

    def crash_at(self, crashing: str, skip: int = 0) -> None:
        """Be killed before an effect, the first of its name but for so many."""
        left = [skip]

        def fault(effect: str, _group: str) -> None:
            if effect == crashing:
                left[0] -= 1
                if left[0] < 0:
                    raise CrashError(effect)

        self.fault = fault

    def fail(self, failing: str, group: str | None = None) -> None:
        def fault(effect: str, its_group: str) -> None:
            if effect == failing and group in (None, its_group):
                raise UnavailableError(failing)

        self.fault = fault

    def heal(self) -> None:
        self.fault = lambda effect, group: None

    def written(self) -> dict[str, list[tuple[float, bool]]]:
        """Value and lateness of what is on the stream of each class."""
        return {
            name.value: [(point.value, point.late) for point in its_points]
            for name, its_points in self.streams.points.items()
            if its_points
        }

    def ids(self) -> list[str]:
        return [point.point_id for its_points in self.streams.points.values() for point in its_points]


class _Loaded:
    def __init__(self, world: World, loaded: LoadedStates, groups: Mapping[StreamKey, str]) -> None:
        self.unavailable: Mapping[str, UnavailableError] = world.unavailable
        self._world = world
        self._loaded = loaded
        self._groups = groups

    def of(self, key: StreamKey) -> StreamMemory:
        if key in self._world.damaged:
            raise DamagedStateError(str(key))
        return self._loaded.of(key)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        return self._world.save(self._loaded, changed, self._groups[next(iter(changed))])


class _Quarantine:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, record: QuarantinedRecord) -> None:
        self._world.effect("quarantine", "")
        self._world.quarantine.put(record)


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(10)
