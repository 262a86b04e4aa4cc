"""Alarm events of a deployment: from its alarm log, or over the API where that alone is reached."""

from collections.abc import Hashable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from afluente.domain.alarms import AlarmEvent, in_order
from cli.access.api_key import key_for
from cli.core.target import Target
from cli.reading.log_events import read_batches
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

    Those of one alarm are in the order of its transitions, as far as they are read together: a classifier publishes
    side by side.

    Args:
        target: the deployment.
        api_key: for the API.
        pattern: of streams, as in a shell.
        since: from when they were reported on; None for all.
        follow: go on with new ones, without end.
    """
    seen: set[Hashable] = set()
    start = since.timestamp() if since else 0.0
    for batch in _batches(target, api_key, pattern, start, follow=follow):
        for published in in_order(batch, lambda its: its.event):
            event = published.event
            is_match = fnmatchcase(f"{event.domain}/{event.source_id}/{event.stream_id}", pattern)
            # A pack that was delivered twice has reported its alarms twice.
            if is_match and event.identity not in seen:
                seen.add(event.identity)
                yield published


def _batches(
    target: Target, api_key: str | None, pattern: str, start: float, *, follow: bool
) -> Iterator[list[PublishedAlarm]]:
    if target.is_api_alone:
        from cli.core.api import Api  # noqa: PLC0415 - the alarm log is read without an HTTP client
        from cli.reading.alarms_api import alarms_by_api, as_published  # noqa: PLC0415

        key = None if pattern == EVERYTHING else pattern
        with Api.of(target, key_for(target, api_key)) as api:
            for event in alarms_by_api(api, key=key, since=start, follow=follow):
                # The API has put them in order, page by page.
                yield [PublishedAlarm(as_published(event), event)]
        return
    group, since_ms = target["AlarmLogGroup"], int(start * 1000)
    for batch in read_batches(target.client("logs"), group, since_ms=since_ms, follow=follow):
        decoded = [(logged.message, decode_alarm(logged.message)) for logged in batch]
        yield [PublishedAlarm(message, event) for message, event in decoded if event is not None]
