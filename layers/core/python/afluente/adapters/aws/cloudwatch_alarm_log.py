"""Alarm events in a log group of CloudWatch Logs, as they are read again."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.application.alarms.history import ReportedAlarm
from afluente.domain.alarms import AlarmEvent

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef, FilterLogEventsRequestTypeDef

EVENTS_A_CALL = 10_000
"""FilterLogEvents: the most events of one answer, of which 1 MiB holds 700 or more."""

_decoder = msgspec.json.Decoder(AlarmEvent)


class LogGroupAlarmLog:
    """Reads what `LogGroupAlarms` wrote.

    Args:
        client: of CloudWatch Logs.
        log_group: its name.
        events_a_call: how many events an answer may have.
    """

    def __init__(self, client: "CloudWatchLogsClient", log_group: str, *, events_a_call: int = EVENTS_A_CALL) -> None:
        self._client = client
        self._log_group = log_group
        self._events_a_call = events_a_call

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        if since_ms >= until_ms:
            return
        asked: FilterLogEventsRequestTypeDef = {
            "logGroupName": self._log_group,
            "startTime": since_ms,
            # The last millisecond that counts.
            "endTime": until_ms - 1,
            "limit": self._events_a_call,
        }
        known = 0
        while True:
            with unavailable("CloudWatch Logs"):
                answer = self._client.filter_log_events(**asked)
            events = answer["events"]
            yield [reported for event in events[known:] if (reported := _decode(event)) is not None]
            if answer.get("nextToken"):
                asked["nextToken"], known = answer["nextToken"], 0
            elif len(events) == self._events_a_call and events[-1]["timestamp"] > asked["startTime"]:
                # The emulator cuts a long answer without a token; what it has of the last millisecond comes again.
                asked["startTime"] = events[-1]["timestamp"]
                known = sum(event["timestamp"] == asked["startTime"] for event in events)
            else:
                return


def _decode(event: "FilteredLogEventTypeDef") -> ReportedAlarm | None:
    """The event of a line; None for a line that is none, which somebody else has written."""
    try:
        return ReportedAlarm(event["timestamp"], _decoder.decode(event["message"]))
    except msgspec.DecodeError:
        return None
