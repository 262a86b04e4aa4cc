"""Alarm events of a deployment: from its alarm log, or over the API where that alone is reached."""

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from afluente.domain.alarms import AlarmEvent
from cli.access.api_key import key_for
from cli.core.target import Target
from cli.reading.log_events import read
from cli.reading.rendering import decode_alarm

EVERYTHING = "*"


class PublishedAlarm(NamedTuple):
    """An alarm event with the line of JSON that was published."""

    line: str
    event: AlarmEvent


def alarms(
    target: Target, api_key: str | None, pattern: str, since: datetime | None, *, follow: bool
) -> Iterator[PublishedAlarm]:
    """The alarm events of streams that match, each once.

    Args:
        target: the deployment.
        api_key: for the API.
        pattern: of streams, as in a shell.
        since: from when they were reported on; None for all.
        follow: go on with new ones, without end.
    """
    seen: set[tuple[str, str, float]] = set()
    start = since.timestamp() if since else 0.0
    for published in _events(target, api_key, pattern, start, follow=follow):
        event = published.event
        # A pack that was delivered twice has reported its alarms twice.
        identity = (event.alarm_id, event.state, event.timestamp)
        is_match = fnmatchcase(f"{event.domain}/{event.source_id}/{event.stream_id}", pattern)
        if is_match and identity not in seen:
            seen.add(identity)
            yield published


def _events(
    target: Target, api_key: str | None, pattern: str, start: float, *, follow: bool
) -> Iterator[PublishedAlarm]:
    if target.is_api_alone:
        from cli.core.api import Api  # noqa: PLC0415 - the alarm log is read without an HTTP client
        from cli.reading.alarms_api import alarms_by_api, as_published  # noqa: PLC0415

        key = None if pattern == EVERYTHING else pattern
        with Api.of(target, key_for(target, api_key)) as api:
            for event in alarms_by_api(api, key=key, since=start, follow=follow):
                yield PublishedAlarm(as_published(event), event)
        return
    for logged in read(target.client("logs"), target["AlarmLogGroup"], since_ms=int(start * 1000), follow=follow):
        decoded = decode_alarm(logged.message)
        if decoded is not None:
            yield PublishedAlarm(logged.message, decoded)
