"""Alarm events in a log group of CloudWatch Logs, for reading."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.application.alarms.ports import ReportedAlarm
from afluente.domain.alarms import AlarmEvent

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef, FilterLogEventsRequestTypeDef

EVENTS_A_CALL = 10_000
"""FilterLogEvents: quota of events in an answer; its other quota, 1 MiB, is at least 700 of them."""

_decoder = msgspec.json.Decoder(AlarmEvent)


class LogGroupAlarmLog:
    """The log of alarms that `LogGroupAlarms` writes.

    Args:
        client: of CloudWatch Logs.
        log_group: its name.
        events_a_call: limit of events in an answer.
    """

    def __init__(self, client: "CloudWatchLogsClient", log_group: str, *, events_a_call: int = EVENTS_A_CALL) -> None:
        self._client = client
        self._log_group = log_group
        self._events_a_call = events_a_call

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        if since_ms >= until_ms:
            return
        request: FilterLogEventsRequestTypeDef = {
            "logGroupName": self._log_group,
            "startTime": since_ms,
            # Inclusive, other than `until_ms`.
            "endTime": until_ms - 1,
            "limit": self._events_a_call,
        }
        repeated = 0
        while True:
            with unavailable("CloudWatch Logs"):
                answer = self._client.filter_log_events(**request)
            events = answer["events"]
            yield [reported for event in events[repeated:] if (reported := _decode(event)) is not None]
            if answer.get("nextToken"):
                request["nextToken"], repeated = answer["nextToken"], 0
            elif len(events) == self._events_a_call and events[-1]["timestamp"] > request["startTime"]:
                # The emulator cuts a long answer without a token: go on from its last millisecond, skipping that part.
                request["startTime"] = events[-1]["timestamp"]
                repeated = sum(event["timestamp"] == request["startTime"] for event in events)
            else:
                return


def _decode(event: "FilteredLogEventTypeDef") -> ReportedAlarm | None:
    """The event of a line; None for a line of another writer."""
    try:
        return ReportedAlarm(event["timestamp"], _decoder.decode(event["message"]))
    except msgspec.DecodeError:
        return None
