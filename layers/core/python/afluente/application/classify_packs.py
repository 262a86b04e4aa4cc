"""Classify packs: load states, classify, deliver, save states; see docs/architecture.md for why in this order."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from afluente.application.constraints_lookup import ConstraintsLookup
from afluente.application.packs import ReceivedPack
from afluente.application.ports import AlarmSink, ClassifiedStreams, Delivery, StateStore, StreamMemory
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint, classify, in_stream_order
from afluente.domain.datapoints import DataPoint
from afluente.domain.keys import StreamKey


class Tally(msgspec.Struct, frozen=True):
    """What became of the points of some packs.

    Attributes:
        classes: points of each class.
        late: points, of any class, that were late.
        duplicates: points that were duplicates and so were not written.
        repeated: points of packs that a stream's state held already; they were written when the pack came first.
        alarms: alarm events, by what they report.
    """

    classes: Counter[str]
    late: int
    duplicates: int
    repeated: int
    alarms: Counter[str]


class ClassifyPacks:
    """Takes the packs of one group from the queue to the streams of the classes.

    Points are delivered before the state is saved: a crash between the two delivers them again with the same ids, a
    crash after both finds each stream's state holding the pack already. Either way the state ends up as if the pack
    had come once.
    """

    def __init__(
        self,
        *,
        constraints: ConstraintsLookup,
        states: StateStore,
        streams: ClassifiedStreams,
        alarms: AlarmSink,
        clock: Callable[[], float],
    ) -> None:
        self._constraints = constraints
        self._states = states
        self._streams = streams
        self._alarms = alarms
        self._clock = clock

    def __call__(self, packs: Sequence[ReceivedPack]) -> Tally:
        """Classify packs of one group, and deliver the points.

        Args:
            packs: of one message group, in the order of their sequence numbers. They are taken together: points of one
                stream are sorted across them.

        Raises:
            UnavailableError: a dependency is down; the packs are to come again.
            StaleStateError: another classifier has overtaken this one; the packs are to come again, if they do.
        """
        arrived = _by_stream(packs)
        states = self._states.load(packs[-1].group, arrived)
        constraints = self._constraints.find({key: _stream_type(its) for key, its in arrived.items()})
        now = self._clock()
        changed: dict[StreamKey, StreamMemory] = {}
        classified: list[ClassifiedDataPoint] = []
        alarms: list[AlarmEvent] = []
        duplicates = repeated = 0
        for key, numbered in arrived.items():
            memory = states.of(key)
            points = [point for number, point in numbered if number > memory.last_pack]
            repeated += len(numbered) - len(points)
            if not points:
                continue
            outcome = classify(in_stream_order(points), constraints[key], memory.state, now)
            changed[key] = StreamMemory(outcome.state, numbered[-1][0])
            classified += outcome.points
            alarms += outcome.alarms
            duplicates += outcome.duplicates
        if classified:
            self._streams.put(_deliveries(classified))
        if alarms:
            self._alarms.publish(alarms)
        if changed:
            states.save(changed)
        return Tally(
            classes=Counter(point.classification.value for point in classified),
            late=sum(point.late for point in classified),
            duplicates=duplicates,
            repeated=repeated,
            alarms=Counter(alarm.state.value for alarm in alarms),
        )


def _by_stream(packs: Iterable[ReceivedPack]) -> dict[StreamKey, list[tuple[int, DataPoint]]]:
    """Points of each stream in order of arrival, each with the sequence number of its pack."""
    streams: dict[tuple[str, str, str], list[tuple[int, DataPoint]]] = {}
    for pack in packs:
        for point in pack.points:
            key = (point.domain, point.source_id, point.stream_id)
            streams.setdefault(key, []).append((pack.sequence_number, point))
    return {StreamKey(*key): numbered for key, numbered in streams.items()}


def _stream_type(numbered: Sequence[tuple[int, DataPoint]]) -> str | None:
    """The type that the latest point to arrive names; a stream is of one type, and not every point needs to say so."""
    return next((point.stream_type for _, point in reversed(numbered) if point.stream_type is not None), None)


def _deliveries(points: Iterable[ClassifiedDataPoint]) -> list[Delivery]:
    groups: dict[tuple[str, str, str], list[ClassifiedDataPoint]] = {}
    for point in points:
        groups.setdefault((point.classification, point.domain, point.source_id), []).append(point)
    return [Delivery(its[0].classification, f"{its[0].domain}/{its[0].source_id}", its) for its in groups.values()]
