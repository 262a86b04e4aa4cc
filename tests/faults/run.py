"""A source that sends three requests, one of which meets a fault: the output is to be as without it."""

from collections.abc import Sequence
from typing import Any

from afluente.application.ingest.packs import into_packs
from afluente.domain.datapoints import DataPoint
from tests.factories import NOW, a_config
from tests.outbox import AlarmTap, Outbox
from tests.reference import SHARDS, Reference, assert_nothing_lost
from tests.stack import LocalStack

CONFIG = a_config(
    min_value=0,
    max_value=200,
    alert_max=150,
    warning_max=100,
    abs_delta=30,
    consecutive_violations_required=2,
    cooldown_seconds=5,
)

_BEFORE = (20.0, 25.0, 120.0, 40.0, 45.0)
# Of every class and reason; an alarm is raised, raised again after its cooldown, and cleared. Four times over, which is
# more than a stream remembers: a repetition that is not recognised is not hidden by its points being duplicates.
_DURING = 4 * (50.0, 90.0, 110.0, 160.0, 210.0, 170.0, 120.0, 115.0, 90.0, 80.0, 60.0, 50.0)
_AFTER = (180.0, 185.0, 20.0, 25.0)


class Run:
    """The requests of one source and their expected output.

    Args:
        stack: where it sends to.
        outbox, alarms: where it comes out.
        source_id: a source that nobody else sends from.
        streams: how many streams it has, all with the same values.
    """

    def __init__(self, stack: LocalStack, outbox: Outbox, alarms: AlarmTap, source_id: str, streams: int = 1) -> None:
        self.source = f"iot/{source_id}"
        self._stack = stack
        self._outbox = outbox
        self._alarms = alarms
        self._source_id = source_id
        self._stream_ids = [f"stream-{number:02}" for number in range(streams)]
        configs = {f"{self.source}/{stream_id}": CONFIG for stream_id in self._stream_ids}
        stack.constrain(configs)
        self._reference = Reference(configs)

    @property
    def group(self) -> str:
        """The message group of its packs."""
        (pack,) = into_packs(self.points(0.0, _BEFORE), SHARDS)
        return pack.group

    def begin(self) -> None:
        """Send the request before the fault, and wait until the streams have their states."""
        self.send(self.points(0.0, _BEFORE))
        self._stack.drained()

    def go_on(self) -> None:
        """Send the request that meets the fault."""
        self.send(self.request())

    def request(self) -> list[DataPoint]:
        """New points, late ones, and duplicates of them and of the request before."""
        new = self.points(10.0, _DURING)
        late = self.points(0.5, (140.0, 30.0, -5.0))
        return [*new, *late, *self.points(0.0, _BEFORE)[:2], *new[:2]]

    def go_past(self) -> None:
        """Send a request by which one sees that the states are right, and wait until it is through."""
        self._stack.drained()
        self.send(self.points(100.0, _AFTER))
        self._stack.drained()

    def send(self, points: Sequence[DataPoint]) -> None:
        """Send a request, and expect its output from now on."""
        self._stack.send(points)
        self.expect(points)

    def expect(self, points: Sequence[DataPoint]) -> None:
        """Expect the output of a request that was sent otherwise and accepted."""
        self._reference.take(points)

    def check(self) -> None:
        """Assert that nothing is lost or changed."""
        assert_nothing_lost(self._stack, self._outbox, self._alarms, self._reference)

    def end(self) -> None:
        """Go past the fault, and assert that nothing is lost or changed."""
        self.go_past()
        self.check()

    def repeats(self) -> int:
        """The number of points that came out once more."""
        return len(self._outbox.lines(self.source)) - len(self._outbox.points(self.source))

    def points(self, begin: float, values: Sequence[float], **fields: Any) -> list[DataPoint]:
        """Points with these values, of every stream, a second apart."""
        return [
            DataPoint(
                domain="iot",
                source_id=self._source_id,
                stream_id=stream_id,
                value=value,
                timestamp=NOW + begin + place,
                **{"metadata": {"place": place}, **fields},
            )
            for place, value in enumerate(values)
            for stream_id in self._stream_ids
        ]

    def wide_points(self) -> list[DataPoint]:
        """Points of one class, more than a message of SQS or a record of Kinesis holds."""
        return self.points(0.0, [float(place % 20) for place in range(600)], metadata={"text": "x" * 4_000})
