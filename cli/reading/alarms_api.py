"""Alarms over the API, once or continuously."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.http.alarms import Alarm, AlarmList
from afluente.domain.alarms import AlarmEvent
from cli.core.api import Query

if TYPE_CHECKING:
    from cli.core.api import Api

POLL_SECONDS = 2.0
"""Pause between two requests."""

LATENESS_SECONDS = 30.0
"""Longest delay of a report behind newer ones: several classifiers report at the same time."""

_PAGE = 500


def alarms_by_api(
    api: "Api",
    *,
    key: str | None,
    since: float,
    follow: bool,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> Iterator[AlarmEvent]:
    """The alarms that the API key reaches, the oldest report first; some more than once.

    Args:
        api: is asked.
        key: a pattern of streams; None for all.
        since: from when they were reported on, in Unix seconds.
        follow: go on with what comes, without end.
        sleep: waits between looks.
        clock: gives the time, in Unix seconds.
    """
    while True:
        newest = since
        for alarm in _pages(api, key, since, clock()):
            newest = max(newest, alarm.reported_at)
            yield _event(alarm)
        if not follow:
            return
        since = max(since, newest - LATENESS_SECONDS)
        sleep(POLL_SECONDS)


def _pages(api: "Api", key: str | None, since: float, now: float) -> Iterator[Alarm]:
    # A little ahead of this machine's clock, which may be behind.
    until = now + LATENESS_SECONDS
    place: str | None = None
    while True:
        fields: dict[str, str | int | None] = {
            "key": key,
            "since": f"{since:.3f}",
            "until": f"{until:.3f}",
            "limit": _PAGE,
            "next": place,
        }
        page = api.ask("GET", "/alarms", "list the alarms", AlarmList, Query(fields))
        yield from page.alarms
        if page.next is None:
            return
        place = page.next


def _event(alarm: Alarm) -> AlarmEvent:
    return AlarmEvent(**{name: getattr(alarm, name) for name in AlarmEvent.__struct_fields__})


def as_published(event: AlarmEvent) -> str:
    """An event as it was published: a line of JSON."""
    return msgspec.json.encode(event).decode()
