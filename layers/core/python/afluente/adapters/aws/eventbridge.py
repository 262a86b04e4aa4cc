"""Sinks of alarm events: an EventBridge bus, and a log group from which they can be read."""

import time
from collections.abc import Callable, Sequence
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

MAX_LOG_EVENTS_A_CALL = 250
"""PutLogEvents quotas: 10,000 events and 1 MiB; an alarm event is at most 4 KiB, since source, stream and type have up
to 128 characters each, of up to four bytes, and the key of the constraints repeats two of them."""

_RETRY_DELAYS = (0.05, 0.2, 0.6)

_encoder = msgspec.json.Encoder()


class EventBridgeAlarms:
    """Puts alarm events on a bus, in their order; retries the failed ones alone."""

    def __init__(self, client: "EventBridgeClient", bus: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._bus = bus
        self._sleep = sleep

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        for chunk in in_chunks(events, MAX_EVENTS_A_CALL):
            unfinished = Unfinished(chunk, dependency="EventBridge", delays=_RETRY_DELAYS, sleep=self._sleep)
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
        for chunk in in_chunks(events, MAX_LOG_EVENTS_A_CALL):
            with unavailable("CloudWatch Logs"):
                self._client.put_log_events(
                    logGroupName=self._log_group,
                    logStreamName=self._log_stream,
                    logEvents=[{"timestamp": now, "message": _encoder.encode(event).decode()} for event in chunk],
                )


class AlarmSinks:
    """Publishes to several sinks, one after the other."""

    def __init__(self, *sinks: AlarmSink) -> None:
        self._sinks = sinks

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        for sink in self._sinks:
            sink.publish(events)
