"""The points and alarms that come out of the streams of the demonstration."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from afluente.adapters.codecs.kinesis_records import lines_of
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.stream_keys import StreamKey
from cli.core.target import Target
from cli.demo.streams import DemoStream
from cli.reading.log_events import read
from cli.reading.rendering import decode_alarm, decode_point
from cli.reading.shards import LATEST, ShardReader

CLASSES = ("normal", "anomaly", "warning", "alert")

_SILENCE_SECONDS = 20.0


@dataclass(slots=True)
class StreamResult:
    """The points and alarms of one stream."""

    points: dict[str, ClassifiedDataPoint] = field(default_factory=dict)
    alarms: dict[Hashable, AlarmEvent] = field(default_factory=dict)

    def figures(self, sent: int) -> dict[str, Any]:
        """The counts, as in `data/expected.json`.

        Args:
            sent: number of points that were sent.
        """
        points = self.points.values()
        alarms = Counter(str(alarm.state) for alarm in self.alarms.values())
        return {
            "points": sent,
            "duplicates": sent - len(points),
            "late": sum(point.late for point in points),
            "classes": {name: sum(point.classification == name for point in points) for name in CLASSES},
            "violations": dict(
                Counter(name for point in points for name in (*point.violated_constraints, *point.violated_rate))
            ),
            "alarms": {"raised": alarms["raised"], "cleared": alarms["cleared"]},
        }


def open_reader(target: Target) -> ShardReader:
    """A reader of all classes, from now on."""
    return ShardReader(target.client("kinesis"), [target[f"{name.title()}Stream"] for name in CLASSES], LATEST)


def collect(
    target: Target, reader: ShardReader, streams: Sequence[DemoStream], since_ms: int, on_point: Callable[[int], None]
) -> dict[StreamKey, StreamResult]:
    """Read the classified streams and the alarm log, until all points have come out or none comes any more."""
    results = {stream.key: StreamResult() for stream in streams}
    awaited = sum(stream.distinct for stream in streams)
    deadline = time.monotonic() + _SILENCE_SECONDS
    while awaited > 0 and time.monotonic() < deadline:
        for record in reader.records(until_idle=0.0):
            for point in filter(None, map(decode_point, lines_of(record))):
                key = StreamKey(point.domain, point.source_id, point.stream_id)
                if key in results and point.point_id not in results[key].points:
                    results[key].points[point.point_id] = point
                    awaited -= 1
                    on_point(1)
            deadline = time.monotonic() + _SILENCE_SECONDS
    for event in read(target.client("logs"), target["AlarmLogGroup"], since_ms=since_ms, follow=False):
        alarm = decode_alarm(event.message)
        if alarm and (key := StreamKey(alarm.domain, alarm.source_id, alarm.stream_id)) in results:
            results[key].alarms[alarm.identity] = alarm
    return results
