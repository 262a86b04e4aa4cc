"""Classify packs: load states, classify, deliver, save states; see docs/architecture.md for why in this order."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from afluente.application.alarms.ports import AlarmSink
from afluente.application.classification.classifiers import Classifier
from afluente.application.classification.ports import (
    ClassifiedStreams,
    DamagedStateError,
    Delivery,
    StateStore,
    StreamMemory,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack, sharding_of
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint, in_stream_order
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey


class Result(msgspec.Struct, frozen=True):
    """What became of some packs.

    Attributes:
        failed: the groups whose packs are to come again, with the reason.
        classes: points of each class that were written; those of failed groups will be written again.
        late: how many of them were late, whatever their class.
        duplicates: points that were duplicates and so were not written.
        repeated: points of packs that a stream's state held already; they were written when the pack came first.
        alarms: alarm events, by what they report.
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


class ClassifyPacks:
    """Takes packs from the queue to the streams of the classes.

    Points are delivered before the states are saved: a crash between the two delivers them again with the same ids, a
    crash after both finds each stream's state holding the pack already. Either way the states end up as if the pack
    had come once.
    """

    def __init__(
        self,
        *,
        way: Classifier,
        states: StateStore,
        streams: ClassifiedStreams,
        alarms: AlarmSink,
        clock: Callable[[], float],
    ) -> None:
        self._way = way
        self._states = states
        self._streams = streams
        self._alarms = alarms
        self._clock = clock

    def __call__(self, packs: Sequence[ReceivedPack]) -> Result:
        """Classify packs, and deliver the points.

        Packs of one group are taken together: points of a stream are sorted across them. Groups share the calls to the
        dependencies; where one can fail alone, the others go through.

        Args:
            packs: of any groups, those of one group in the order of their sequence numbers.
        """
        sharding = sharding_of(packs[0].group)
        now: list[ReceivedPack] = []
        later: list[ReceivedPack] = []
        for pack in packs:
            (now if sharding_of(pack.group) == sharding else later).append(pack)
        try:
            result = self._classify(_by_stream(now))
        except UnavailableError as error:
            result = Result(failed={pack.group: error for pack in now})
        if not later:
            return result
        # While the number of shards changes, a source may be in two groups at once; one of them waits.
        waiting = UnavailableError("packs of another sharding are taken first")
        return msgspec.structs.replace(result, failed={**result.failed, **{pack.group: waiting for pack in later}})

    def _classify(self, arrivals: Mapping[StreamKey, _Arrivals]) -> Result:
        states = self._states.load({key: its.group for key, its in arrivals.items()})
        judges = self._way.look_up({key: _stream_type(its.numbered) for key, its in arrivals.items()})
        waiting: dict[str, Exception] = {arrivals[key].group: error for key, error in judges.waiting.items()}
        now = self._clock()
        changed: dict[StreamKey, StreamMemory] = {}
        classified: list[ClassifiedDataPoint] = []
        alarms: list[AlarmEvent] = []
        damaged: dict[str, Exception] = {}
        duplicates = repeated = 0
        for key, its in arrivals.items():
            if its.group in waiting:
                continue
            try:
                memory = states.of(key)
            except DamagedStateError as error:
                # Its points wait, and by the order of the queue what comes after them; all other streams go on.
                # To begin anew would forget an alarm that stands, to acknowledge the pack would lose the points.
                damaged[its.group] = error
                continue
            points = [point for number, point in its.numbered if number > memory.last_pack]
            repeated += len(its.numbered) - len(points)
            if not points:
                continue
            outcome = judges.classify(key, in_stream_order(points), memory.state, now)
            changed[key] = StreamMemory(outcome.state, its.numbered[-1][0])
            classified += outcome.points
            alarms += outcome.alarms
            duplicates += outcome.duplicates
        if classified:
            self._streams.put(_deliveries(classified))
        if alarms:
            self._alarms.publish(alarms)
        unsaved = states.save(changed) if changed else {}
        judges.done(unsaved)
        unsaved_groups = {its.group: unsaved[key.source] for key, its in arrivals.items() if key.source in unsaved}
        return Result(
            failed={**waiting, **unsaved_groups, **damaged},
            classes=Counter(point.classification for point in classified),
            late=sum(point.late for point in classified),
            duplicates=duplicates,
            repeated=repeated,
            alarms=Counter(alarm.state.value for alarm in alarms),
        )


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
    """The type that the latest point to arrive names; a stream is of one type, and not every point needs to say so."""
    return next((point.stream_type for _, point in reversed(numbered) if point.stream_type is not None), None)


def _deliveries(points: Iterable[ClassifiedDataPoint]) -> list[Delivery]:
    groups: dict[tuple[str, str, str], list[ClassifiedDataPoint]] = {}
    for point in points:
        groups.setdefault((point.classification, point.domain, point.source_id), []).append(point)
    return [Delivery(its[0].classification, f"{its[0].domain}/{its[0].source_id}", its) for its in groups.values()]
