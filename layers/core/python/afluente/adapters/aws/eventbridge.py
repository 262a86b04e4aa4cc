"""Sinks of alarm events: an EventBridge bus, and a log group from which they can be read."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import Unfinished, in_chunks, unavailable
from afluente.application.alarms.ports import AlarmSink
from afluente.domain.alarms import AlarmEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient

SOURCE = "afluente"
DETAIL_TYPES = {"raised": "Alarm raised", "cleared": "Alarm cleared"}

MAX_EVENTS_A_CALL = 10
"""PutEvents quota."""

MAX_LOG_CALL_BYTES = 1_048_576
"""PutLogEvents quota: of a call, each event counted as its UTF-8 bytes and 26 more."""

MAX_LOG_EVENTS_A_CALL = 10_000
"""PutLogEvents quota."""

_LOG_EVENT_OVERHEAD_BYTES = 26

_RETRY_DELAYS = (0.05, 0.2, 0.6)

_encoder = msgspec.json.Encoder()


class EventBridgeAlarms:
    """Puts alarm events on a bus, calls side by side; retries the failed events alone.

    Args:
        client: of EventBridge.
        bus: its name.
        executor: runs the calls.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        client: "EventBridgeClient",
        bus: str,
        *,
        executor: Executor,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._bus = bus
        self._executor = executor
        self._sleep = sleep

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        calls = [self._executor.submit(self._publish, chunk) for chunk in in_chunks(events, MAX_EVENTS_A_CALL)]
        # All of them, whatever fails: no call may still be under way when the events are published again.
        errors = [error for call in calls if (error := call.exception())]
        if errors:
            raise errors[0]

    def _publish(self, events: Sequence[AlarmEvent]) -> None:
        unfinished = Unfinished(events, dependency="EventBridge", delays=_RETRY_DELAYS, sleep=self._sleep)
        for items in unfinished:
            unfinished.items = self._put(items)

    def _put(self, events: Sequence[AlarmEvent]) -> Sequence[AlarmEvent]:
        with unavailable("EventBridge"):
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPES[event.state],
                        "Detail": _encoder.encode(event).decode(),
                        "Resources": [f"{event.domain}/{event.source_id}/{event.stream_id}"],
                    }
                    for event in events
                ]
            )
        return [event for event, entry in zip(events, answer["Entries"], strict=True) if entry.get("ErrorCode")]


class LogGroupAlarms:
    """Writes alarm events as JSON lines into a log group, for `afluente alarms` and Logs Insights."""

    def __init__(
        self, client: "CloudWatchLogsClient", log_group: str, log_stream: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._log_group = log_group
        self._log_stream = log_stream
        self._clock = clock

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        now = int(self._clock() * 1000)
        for lines in _log_calls([_encoder.encode(event) for event in events]):
            with unavailable("CloudWatch Logs"):
                self._client.put_log_events(
                    logGroupName=self._log_group,
                    logStreamName=self._log_stream,
                    logEvents=[{"timestamp": now, "message": line.decode()} for line in lines],
                )


class AlarmSinks:
    """Publishes to several sinks, one after the other."""

    def __init__(self, *sinks: AlarmSink) -> None:
        self._sinks = sinks

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        for sink in self._sinks:
            sink.publish(events)


def _log_calls(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The lines in order, in as few calls as the quotas allow."""
    start, size = 0, 0
    for place, line in enumerate(lines):
        size += len(line) + _LOG_EVENT_OVERHEAD_BYTES
        if place > start and (size > MAX_LOG_CALL_BYTES or place - start == MAX_LOG_EVENTS_A_CALL):
            yield lines[start:place]
            start, size = place, len(line) + _LOG_EVENT_OVERHEAD_BYTES
    if lines:
        yield lines[start:]
