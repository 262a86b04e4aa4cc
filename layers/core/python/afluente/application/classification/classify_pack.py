"""Classify one pack: classify, deliver, publish alarms, save states; docs/architecture.md explains the order."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock

import msgspec

from afluente.application.alarms.ports import AlarmSink
from afluente.application.classification.delays import delivery_delays
from afluente.application.classification.ports import (
    BatchClassifier,
    ClassifiedStreams,
    Classifier,
    DamagedStateError,
    Delivery,
    LoadedStates,
    StreamMemory,
    TimeLeft,
    TooManyStreamsError,
)
from afluente.application.classification.too_many_streams import too_many_streams
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.ports import BulkSlots, Quarantine
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint, in_stream_order
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Reason
from afluente.domain.stream_keys import StreamKey


class PackCounts(msgspec.Struct):
    """Counts of points and alarms; those of a pack that failed are counted again when it is retried.

    Attributes:
        classes: points of each class that were written.
        late: how many of them were late, whatever their class.
        duplicates: points that were duplicates, and not written.
        repeated: points of streams whose state held their pack already; they were written at the first delivery.
        quarantined: points of new streams beyond the limit of their source.
        alarms: alarm events, by their state.
        unconstrained: written points of streams without constraints, by domain and stream type.
        delays: seconds from acceptance to Kinesis of what was written, by transport.
    """

    classes: Counter[str] = msgspec.field(default_factory=Counter)
    late: int = 0
    duplicates: int = 0
    repeated: int = 0
    quarantined: int = 0
    alarms: Counter[str] = msgspec.field(default_factory=Counter)
    unconstrained: Counter[tuple[str, str | None]] = msgspec.field(default_factory=Counter)
    delays: dict[str, list[float]] = {}

    def add(self, other: "PackCounts") -> None:
        """Add the counts of another pack."""
        self.classes += other.classes
        self.late += other.late
        self.duplicates += other.duplicates
        self.repeated += other.repeated
        self.quarantined += other.quarantined
        self.alarms += other.alarms
        self.unconstrained += other.unconstrained
        for transport, seconds in other.delays.items():
            self.delays.setdefault(transport, []).extend(seconds)


class PackResult(msgspec.Struct, frozen=True):
    """The result for a pack.

    Attributes:
        counts: its points and alarms.
        error: why it has to be retried; None if it is done. Some of its streams may be done nevertheless.
    """

    counts: PackCounts
    error: Exception | None = None


class _Changes(msgspec.Struct):
    """Everything classified, before it is delivered and saved."""

    states: dict[StreamKey, StreamMemory] = {}
    points: list[ClassifiedDataPoint] = []
    alarms: list[AlarmEvent] = []
    beyond_limit: dict[StreamKey, tuple[int, Sequence[DataPoint]]] = {}
    """Points of new streams beyond the limit of their source, with the limit."""
    counts: PackCounts = msgspec.field(default_factory=PackCounts)
    error: Exception | None = None


class ClassifyPack:
    """Classifies a pack and delivers its points to the streams of their classes.

    Points are delivered before the states are saved: a crash between the two delivers them again with the same ids, a
    crash after both finds each stream's state holding the pack already. Either way the states end up as if the pack
    had come once. A pack is judged alone: nothing depends on which others an invocation holds.

    Args:
        classifier: of points.
        streams: of the classes.
        alarms: sink of alarm events.
        quarantine: of points of new streams beyond the limit of their source.
        slots: of packs of bulk, released once a pack is done.
        clock: the time of classification, in Unix seconds.
    """

    def __init__(
        self,
        *,
        classifier: Classifier,
        streams: ClassifiedStreams,
        alarms: AlarmSink,
        quarantine: Quarantine,
        slots: BulkSlots,
        clock: Callable[[], float],
    ) -> None:
        self._classifier = classifier
        self._streams = streams
        self._alarms = alarms
        self._quarantine = quarantine
        self._slots = slots
        self._clock = clock
        # Classifiers have caches that threads must not share, and processor time is one thread's at a time anyway.
        self._classifying = Lock()

    def __call__(self, pack: ReceivedPack, states: LoadedStates, time_left: TimeLeft) -> PackResult:
        """Classify a pack.

        Args:
            pack: whose predecessors in its group are done.
            states: of its streams.
            time_left: seconds in which to be done.
        """
        by_stream = _by_stream(pack.points)
        try:
            with self._classifying:
                classifier = self._classifier.look_up({key: _stream_type(its) for key, its in by_stream.items()})
                changes = _classified(pack, by_stream, states, classifier, self._clock())
            self._deliver(pack, changes, time_left)
        except UnavailableError as error:
            return PackResult(PackCounts(), error)
        unsaved = states.save(changes.states) if changes.states else {}
        with self._classifying:
            classifier.done(unsaved)
        failure = changes.error or next(iter(unsaved.values()), None)
        if failure is None:
            release_slot(self._slots, pack)
        return PackResult(changes.counts, failure)

    def _deliver(self, pack: ReceivedPack, changes: _Changes, time_left: TimeLeft) -> None:
        for record in too_many_streams(pack, changes.beyond_limit):
            self._quarantine.put(record)
        if changes.points:
            self._streams.put(_deliveries(pack.group, changes.points), time_left=time_left)
            changes.counts.delays = delivery_delays(pack, changes.points, self._clock())
        if changes.alarms:
            self._alarms.publish(changes.alarms)


def release_slot(slots: BulkSlots, pack: ReceivedPack) -> None:
    """Release the slot of a pack of bulk that is done, or has left the queue another way."""
    if pack.slot is None:
        return
    # It expires otherwise; the pack is done in any case.
    with suppress(UnavailableError):
        slots.release(pack.group, pack.slot, pack.sequence_number)


def _classified(
    pack: ReceivedPack,
    by_stream: Mapping[StreamKey, Sequence[DataPoint]],
    states: LoadedStates,
    classifier: BatchClassifier,
    now: float,
) -> _Changes:
    """Classify the points of all streams that can be classified.

    Where the state of a stream is unavailable or cannot be read, the pack is retried, and by the order of the queue the
    ones after it wait. A fresh state would lose an alarm that stands, an acknowledgement would lose the points.
    """
    changes = _Changes()
    counts = changes.counts
    for key, points in by_stream.items():
        unavailable = states.unavailable.get(key.source) or classifier.unavailable.get(key)
        if unavailable is not None:
            changes.error = unavailable
            continue
        try:
            memory = states.of(key)
        except DamagedStateError as error:
            changes.error = error
            continue
        except TooManyStreamsError as error:
            changes.beyond_limit[key] = (error.limit, points)
            counts.quarantined += len(points)
            continue
        if pack.sequence_number <= memory.last_pack:
            counts.repeated += len(points)
            continue
        result = classifier.classify(key, in_stream_order(points), memory.state, now)
        changes.states[key] = StreamMemory(result.state, pack.sequence_number)
        changes.points += result.points
        changes.alarms += result.alarms
        counts.duplicates += result.duplicates
        if result.points and result.points[0].reason is Reason.NO_CONSTRAINTS:
            counts.unconstrained[key.domain, _stream_type(points)] += len(result.points)
    counts.classes.update(point.classification for point in changes.points)
    counts.late = sum(point.late for point in changes.points)
    counts.alarms.update(alarm.state.value for alarm in changes.alarms)
    return changes


def _by_stream(points: Iterable[DataPoint]) -> dict[StreamKey, list[DataPoint]]:
    streams: dict[tuple[str, str, str], list[DataPoint]] = {}
    for point in points:
        streams.setdefault((point.domain, point.source_id, point.stream_id), []).append(point)
    return {StreamKey(*key): its_points for key, its_points in streams.items()}


def _stream_type(points: Sequence[DataPoint]) -> str | None:
    """The type of the latest point that names one: a stream has one type, and not every point repeats it."""
    return next((point.stream_type for point in reversed(points) if point.stream_type is not None), None)


def _deliveries(group: str, points: Iterable[ClassifiedDataPoint]) -> list[Delivery]:
    by_class: dict[str, list[ClassifiedDataPoint]] = {}
    for point in points:
        by_class.setdefault(point.classification, []).append(point)
    return [Delivery(its_points[0].classification, group, its_points) for its_points in by_class.values()]
