"""Alarms that were reported, the oldest first, in pages: of what a caller reaches, and of nothing else.

A page says where the next one begins by a second and by how many of the caller's own alarms of that second it has had:
so neither the place nor the name of another's alarm is part of it, and another key that comes with it finds its own.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

import msgspec

from afluente.application.access.grants import EVERYTHING, Action, Grant
from afluente.domain.alarms import AlarmChange, AlarmEvent

MAX_PAGE = 500
"""Alarms of a page."""

# How often the log is looked at before a page is given back that is not full.
_MAX_LOOKS = 10
_SECOND_MS = 1_000


class ReportedAlarm(msgspec.Struct, frozen=True):
    """An alarm event, and when it was reported, in Unix milliseconds: the time of the data is its own."""

    reported_ms: int
    event: AlarmEvent


class AlarmLog(Protocol):
    """Where alarm events can be read again."""

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        """The events that were reported from `since_ms` on and before `until_ms`, the oldest first, as they are read.

        Raises:
            UnavailableError: the log does not answer.
        """
        ...


class Place(msgspec.Struct, frozen=True):
    """Where a page ends.

    Attributes:
        second: in which its last alarm was reported, or up to which there was none, in Unix seconds.
        given: how many of those that are asked for, of this second, it has had.
    """

    second: int
    given: int


class AlarmQuery(msgspec.Struct, frozen=True):
    """Which alarms are asked for.

    Attributes:
        since, until: between which times they were reported, in Unix seconds; the second is not part of it.
        domain, source_id, stream_id, state: of the events; None for any.
        key: a pattern of `domain/source_id/stream_id`, as in a shell; None for any.
        limit: how many, 1 to `MAX_PAGE`.
        place: where the page before ended; None for the first one.
    """

    since: float
    until: float
    domain: str | None = None
    source_id: str | None = None
    stream_id: str | None = None
    key: str | None = None
    state: AlarmChange | None = None
    limit: int = 100
    place: Place | None = None

    def missing(self, grant: Grant) -> str | None:
        """The scope that a grant lacks for a domain or source that is asked for by name; None where nothing is."""
        asked = msgspec.structs.replace(
            grant,
            domains=(EVERYTHING,) if self.domain is None else grant.domains,
            sources=(EVERYTHING,) if self.source_id is None else grant.sources,
        )
        return asked.missing(Action.ALARMS, self.domain or "", self.source_id or "")

    def wants(self, event: AlarmEvent) -> bool:
        """Whether an event is asked for."""
        return (
            self.domain in {None, event.domain}
            and self.source_id in {None, event.source_id}
            and self.stream_id in {None, event.stream_id}
            and self.state in {None, event.state}
            and (self.key is None or _matches(self.key, f"{event.domain}/{event.source_id}/{event.stream_id}"))
        )


class AlarmPage(msgspec.Struct, frozen=True):
    """Some alarms, the oldest report first, each once.

    Attributes:
        alarms: they may be fewer than were asked for.
        place: where it ends; None where nothing comes after it.
    """

    alarms: tuple[ReportedAlarm, ...]
    place: Place | None


def reported_alarms(log: AlarmLog, query: AlarmQuery, grant: Grant) -> AlarmPage:
    """A page of the alarms that a caller may see.

    Args:
        log: where they can be read.
        query: which are asked for.
        grant: what the caller may do.

    Raises:
        UnavailableError: the log does not answer.
    """
    start = int(query.since * _SECOND_MS)
    if query.place is not None:
        start = max(start, query.place.second * _SECOND_MS)
    page = _Page(query)
    for looks, read in enumerate(log.pages(start, int(query.until * _SECOND_MS)), start=1):
        for reported in read:
            event = reported.event
            if grant.missing(Action.ALARMS, event.domain, event.source_id) or not query.wants(event):
                continue
            if not page.take(reported):
                return page.ending_here()
        # A second that is not over is read to its end: the next page begins with it, and would come no further.
        if looks >= _MAX_LOOKS and read and read[-1].reported_ms // _SECOND_MS > start // _SECOND_MS:
            return page.ending_at(read[-1].reported_ms // _SECOND_MS)
    return AlarmPage(tuple(page.alarms), None)


def _matches(pattern: str, key: str) -> bool:
    return _matcher(pattern).match(key) is not None


@lru_cache(maxsize=64)
def _matcher(pattern: str) -> re.Pattern[str]:
    # The memory of `fnmatch` has room for 32,768 patterns, and callers choose these.
    return re.compile(translate(pattern))


class _Page:
    """A page while it fills."""

    def __init__(self, query: AlarmQuery) -> None:
        self.alarms: list[ReportedAlarm] = []
        self._limit = query.limit
        self._before = query.place or Place(-1, 0)
        self._at = Place(-1, 0)
        self._told: set[tuple[str, str, float]] = set()
        self._end = self._at

    def take(self, reported: ReportedAlarm) -> bool:
        """Take the next alarm, if it is not known; False where there is no room for it."""
        second = reported.reported_ms // _SECOND_MS
        self._at = Place(second, self._at.given + 1 if second == self._at.second else 1)
        event = reported.event
        # A pack that came twice has reported its alarms twice.
        identity = (event.alarm_id, event.state, event.timestamp)
        is_known = identity in self._told
        self._told.add(identity)
        if is_known or (second == self._before.second and self._at.given <= self._before.given):
            return True
        if len(self.alarms) == self._limit:
            return False
        self.alarms.append(reported)
        self._end = self._at
        return True

    def ending_here(self) -> AlarmPage:
        """It is full, and ends with its last alarm."""
        return AlarmPage(tuple(self.alarms), self._end)

    def ending_at(self, second: int) -> AlarmPage:
        """Enough was looked at, up to some place of a second."""
        return AlarmPage(tuple(self.alarms), self._at if self._at.second == second else Place(second, 0))
