"""Classify packs: load states, classify, deliver, save states; docs/architecture.md explains the order."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from afluente.application.alarms.ports import AlarmSink
from afluente.application.classification.ports import (
    BatchClassifier,
    ClassifiedStreams,
    Classifier,
    DamagedStateError,
    Delivery,
    LoadedStates,
    StateStore,
    StreamMemory,
    TooManyStreamsError,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack, sharding_of
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint, in_stream_order
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey


class BatchResult(msgspec.Struct, frozen=True):
    """The result for a batch of packs.

    Attributes:
        failed: groups whose packs have to be retried, with the reason.
        classes: points of each class that were written; those of failed groups will be written again.
        late: how many of them were late, whatever their class.
        duplicates: points that were duplicates, and not written.
        repeated: points of packs that a stream's state held already; they were written at the first delivery.
        alarms: alarm events, by their state.
    """

    failed: Mapping[str, Exception]
    classes: Counter[str] = msgspec.field(default_factory=Counter)
    late: int = 0
    duplicates: int = 0
    repeated: int = 0
    alarms: Counter[str] = msgspec.field(default_factory=Counter)


class _Arrivals(msgspec.Struct, frozen=True):
    """Points of one stream in order of arrival, each with the sequence number of its pack, and their group."""

    group: str
    numbered: list[tuple[int, DataPoint]]


class _Batch(msgspec.Struct):
    """Everything classified so far, before it is delivered and saved."""

    changed: dict[StreamKey, StreamMemory] = {}
    points: list[ClassifiedDataPoint] = []
    alarms: list[AlarmEvent] = []
    duplicates: int = 0
    repeated: int = 0
    damaged: dict[str, Exception] = {}


class ClassifyPacks:
    """Classifies packs of the queue and delivers their points to the streams of the classes.

    Points are delivered before the states are saved: a crash between the two delivers them again with the same ids, a
    crash after both finds each stream's state holding the pack already. Either way the states end up as if the pack
    had come once.
    """

    def __init__(
        self,
        *,
        classifier: Classifier,
        states: StateStore,
        streams: ClassifiedStreams,
        alarms: AlarmSink,
        clock: Callable[[], float],
    ) -> None:
        self._classifier = classifier
        self._states = states
        self._streams = streams
        self._alarms = alarms
        self._clock = clock

    def __call__(self, packs: Sequence[ReceivedPack]) -> BatchResult:
        """Classify packs, and deliver the points.

        Packs of one group are classified together: points of a stream are sorted across them. Groups share the calls to
        the dependencies; where one can fail alone, the others go through.

        Args:
            packs: of any groups, those of one group in the order of their sequence numbers.
        """
        sharding = sharding_of(packs[0].group)
        now = [pack for pack in packs if sharding_of(pack.group) == sharding]
        later = [pack for pack in packs if sharding_of(pack.group) != sharding]
        try:
            result = self._classify(_by_stream(now))
        except UnavailableError as error:
            result = BatchResult(failed={pack.group: error for pack in now})
        if not later:
            return result
        # While the number of shards changes, a source may be in two groups at once; one of them waits.
        reason = UnavailableError("packs of another sharding are classified first")
        return msgspec.structs.replace(result, failed={**result.failed, **{pack.group: reason for pack in later}})

    def _classify(self, arrivals: Mapping[StreamKey, _Arrivals]) -> BatchResult:
        states = self._states.load({key: its.group for key, its in arrivals.items()})
        classifier = self._classifier.look_up({key: _stream_type(its.numbered) for key, its in arrivals.items()})
        unavailable: dict[str, Exception] = {
            arrivals[key].group: error for key, error in classifier.unavailable.items()
        }
        unavailable |= {
            its.group: states.unavailable[key.source]
            for key, its in arrivals.items()
            if key.source in states.unavailable
        }
        available = {key: its for key, its in arrivals.items() if its.group not in unavailable}
        batch = _classified(available, states, classifier, self._clock())
        if batch.points:
            self._streams.put(_deliveries(batch.points))
        if batch.alarms:
            self._alarms.publish(batch.alarms)
        unsaved = states.save(batch.changed) if batch.changed else {}
        classifier.done(unsaved)
        unsaved_groups = {its.group: unsaved[key.source] for key, its in arrivals.items() if key.source in unsaved}
        return BatchResult(
            failed={**unavailable, **unsaved_groups, **batch.damaged},
            classes=Counter(point.classification for point in batch.points),
            late=sum(point.late for point in batch.points),
            duplicates=batch.duplicates,
            repeated=batch.repeated,
            alarms=Counter(alarm.state.value for alarm in batch.alarms),
        )


def _classified(
    arrivals: Mapping[StreamKey, _Arrivals], states: LoadedStates, classifier: BatchClassifier, now: float
) -> _Batch:
    batch = _Batch()
    for key, its in arrivals.items():
        try:
            memory = states.of(key)
        except (DamagedStateError, TooManyStreamsError) as error:
            # Its packs are retried, and by the order of the queue the ones after them wait; all other streams go on.
            # A fresh state would lose an alarm that stands, an acknowledgement would lose the points.
            batch.damaged[its.group] = error
            continue
        points = [point for number, point in its.numbered if number > memory.last_pack]
        batch.repeated += len(its.numbered) - len(points)
        if not points:
            continue
        result = classifier.classify(key, in_stream_order(points), memory.state, now)
        batch.changed[key] = StreamMemory(result.state, its.numbered[-1][0])
        batch.points += result.points
        batch.alarms += result.alarms
        batch.duplicates += result.duplicates
    return batch


def _by_stream(packs: Iterable[ReceivedPack]) -> dict[StreamKey, _Arrivals]:
    streams: dict[tuple[str, str, str], _Arrivals] = {}
    for pack in packs:
        for point in pack.points:
            key = (point.domain, point.source_id, point.stream_id)
            if key not in streams:
                streams[key] = _Arrivals(pack.group, [])
            streams[key].numbered.append((pack.sequence_number, point))
    return {StreamKey(*key): arrivals for key, arrivals in streams.items()}


def _stream_type(numbered: Sequence[tuple[int, DataPoint]]) -> str | None:
    """The type of the latest point that names one: a stream has one type, and not every point repeats it."""
    return next((point.stream_type for _, point in reversed(numbered) if point.stream_type is not None), None)


def _deliveries(points: Iterable[ClassifiedDataPoint]) -> list[Delivery]:
    groups: dict[tuple[str, str, str], list[ClassifiedDataPoint]] = {}
    for point in points:
        groups.setdefault((point.classification, point.domain, point.source_id), []).append(point)
    return [Delivery(its[0].classification, f"{its[0].domain}/{its[0].source_id}", its) for its in groups.values()]
