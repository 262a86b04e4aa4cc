"""Reads a log group of CloudWatch Logs, once or continuously."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_PAGE = 10_000
"""FilterLogEvents: most events of one answer."""

_POLL_SECONDS = 1.0
_LATENESS_MS = 30_000
"""Longest delay of an event behind newer ones: logs arrive from many places."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of a log.

    Attributes:
        timestamp: Unix milliseconds.
        message: the line, without its line break.
    """

    timestamp: int
    message: str


class LogReader:
    """Reads a log group piece by piece.

    Args:
        client: of CloudWatch Logs.
        group: name of the log group.
        since_ms: the earliest time, in Unix milliseconds.
    """

    def __init__(self, client: "CloudWatchLogsClient", group: str, *, since_ms: int) -> None:
        self._client = client
        self._group = group
        self._since_ms = since_ms
        self._seen: dict[Hashable, int] = {}

    def new_events(self) -> Iterator[LogEvent]:
        """The events that were not read before, oldest first as far as they are there."""
        for batch in self.new_batches():
            yield from batch

    def new_batches(self) -> Iterator[list[LogEvent]]:
        """The same in batches as they are answered."""
        newest = max(self._seen.values(), default=0)
        start = max(self._since_ms, newest - _LATENESS_MS)
        self._seen = {identity: timestamp for identity, timestamp in self._seen.items() if timestamp >= start}
        for page in _pages_from(self._client, self._group, start):
            fresh = {identity: event for identity, event in page if identity not in self._seen}
            self._seen |= {identity: event.timestamp for identity, event in fresh.items()}
            yield list(fresh.values())


def read(
    client: "CloudWatchLogsClient",
    group: str,
    *,
    since_ms: int,
    follow: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogEvent]:
    """The events of a log group, oldest first as far as they are there, each once; see `read_batches`."""
    for batch in read_batches(client, group, since_ms=since_ms, follow=follow, sleep=sleep):
        yield from batch


def read_batches(
    client: "CloudWatchLogsClient",
    group: str,
    *,
    since_ms: int,
    follow: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[LogEvent]]:
    """The events of a log group, oldest first as far as they are there, each once, in batches as they are answered.

    Args:
        client: of CloudWatch Logs.
        group: name of the log group.
        since_ms: the earliest time, in Unix milliseconds.
        follow: go on with what comes, without end.
        sleep: waits between looks.
    """
    reader = LogReader(client, group, since_ms=since_ms)
    while True:
        yield from reader.new_batches()
        if not follow:
            return
        sleep(_POLL_SECONDS)


def _pages_from(client: "CloudWatchLogsClient", group: str, start: int) -> Iterator[list[tuple[Hashable, LogEvent]]]:
    """The events from `start` on with their unique ids, one page an answer; some are repeated."""
    arguments: dict[str, Any] = {"logGroupName": group, "limit": _PAGE, "startTime": start}
    copies: Counter[Hashable] = Counter()
    while True:
        page: Any = client.filter_log_events(**arguments)
        events = page["events"]
        yield [
            (_identity(event, copies), LogEvent(event["timestamp"], event["message"].rstrip("\n"))) for event in events
        ]
        if page.get("nextToken"):
            arguments["nextToken"] = page["nextToken"]
        elif len(events) == _PAGE and events[-1]["timestamp"] > arguments["startTime"]:
            # The emulator cuts a long answer without a token; the last millisecond comes again.
            arguments["startTime"] = events[-1]["timestamp"]
            copies.clear()
        else:
            return


def _identity(event: Mapping[str, Any], copies: Counter[Hashable]) -> Hashable:
    if "eventId" in event:
        return str(event["eventId"])
    # The emulator gives no ids: equal lines of one millisecond are distinguished by counting them.
    line = (event["timestamp"], event["logStreamName"], event["message"])
    copies[line] += 1
    return (*line, copies[line])
