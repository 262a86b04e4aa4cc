"""The expected output: the use cases with memory in place of AWS, where nothing ever fails."""

from collections.abc import Mapping, Sequence

import msgspec

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryStates, MemoryStreams
from afluente.adapters.memory.classifier import MemoryClassifier
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.ingest import MemoryPackQueue
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.ingest.packs import into_packs
from afluente.domain.constraints import StreamConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from infra.presets import local
from tests.outbox import AlarmTap, Document, Outbox, distinct, timeless
from tests.stack import LocalStack

SHARDS = local().shards
"""The shards of the stage of the local stack."""


class Reference:
    """A service without faults, to compare a running stack with.

    Args:
        configs: constraints by scope.
    """

    def __init__(self, configs: Mapping[str, StreamConfig]) -> None:
        constraints = MemoryConstraints()
        for scope, config in configs.items():
            constraints.put(scope, config)
        self._queue = MemoryPackQueue()
        self._states = MemoryStates()
        self._streams = MemoryStreams()
        self._alarms = MemoryAlarms()
        self._classify = MemoryClassifier(
            ConstraintClassifier(ConstraintsLookup(constraints, ttl_seconds=0, clock=lambda: 0.0)),
            states=self._states,
            streams=self._streams,
            alarms=self._alarms,
            clock=lambda: 0.0,
        )

    def take(self, *requests: Sequence[DataPoint]) -> None:
        """Take requests of points, one after the other."""
        for points in requests:
            begin = len(self._queue.packs)
            self._queue.send(into_packs(points, SHARDS))
            for pack in self._queue.packs[begin:]:
                assert self._classify(pack).failed == []

    def sources(self) -> list[str]:
        """Every source (`domain/source_id`) that points came from."""
        return sorted({key.source for key in self._states.memories})

    def points(self, source: str) -> dict[tuple[str, str], list[Document]]:
        """The points of a source by class and stream, each list in its order."""
        documents = [msgspec.to_builtins(point) for name in Classification for point in self._streams.points[name]]
        return by_class_and_stream([timeless(point) for point in documents if _source(point) == source])

    def alarms(self, source: str) -> list[Document]:
        """The alarm events of a source."""
        events = [msgspec.to_builtins(event) for event in self._alarms.events]
        return [event for event in events if _source(event) == source]

    def groups(self, source: str) -> dict[StreamKey, str]:
        """The streams of a source, each with the message group of its packs."""
        return {key: group for key, (group, _) in self._states.memories.items() if key.source == source}

    def states(self, source: str) -> dict[StreamKey, StreamState]:
        """The states of the streams of a source."""
        return {key: memory.state for key, (_, memory) in self._states.memories.items() if key.source == source}


def assert_nothing_lost(stack: LocalStack, outbox: Outbox, tap: AlarmTap, reference: Reference) -> None:
    """Assert that the stack's points, their order, states and alarms are those of the reference, but for repeats."""
    stack.drained()
    assert stack.dead_letters() == 0
    for source in reference.sources():
        assert by_class_and_stream(outbox.points(source)) == reference.points(source)
        assert _timeless(stack.states_of(reference.groups(source))) == _timeless(reference.states(source))
        expected = _in_order(reference.alarms(source))
        stack.eventually(lambda: len(distinct(tap.on_bus(source))) >= len(expected), "alarms are on the bus")  # noqa: B023 - called at once
        assert _in_order(distinct(tap.on_bus(source))) == expected
        assert _in_order(distinct(tap.in_log(source))) == expected


def by_class_and_stream(points: Sequence[Document]) -> dict[tuple[str, str], list[Document]]:
    """Points in their order, those of one class and stream together: between these there is no order."""
    gathered: dict[tuple[str, str], list[Document]] = {}
    for point in points:
        gathered.setdefault((point["classification"], point["stream_id"]), []).append(point)
    return gathered


def _timeless(states: Mapping[StreamKey, StreamState]) -> dict[StreamKey, StreamState]:
    """States without what depends on when points arrived, which is another time for the reference."""
    return {
        key: msgspec.structs.replace(state, alarm=msgspec.structs.replace(state.alarm, budget_restored_at=0))
        for key, state in states.items()
    }


def _in_order(alarms: Sequence[Document]) -> list[Document]:
    """A bus promises no order, and events of one pack may change places when a part of a call fails."""
    return sorted(alarms, key=lambda alarm: (alarm["stream_id"], alarm["timestamp"], alarm["state"]))


def _source(document: Document) -> str:
    return f"{document['domain']}/{document['source_id']}"
