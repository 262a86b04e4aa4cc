"""The history of alarms within a caller's reach, in pages, the oldest report first.

A cursor is a second and the number of the caller's own alarms of that second on the pages before. So it holds nothing
of other callers' alarms, and with another key it selects the alarms of that key.
"""

import re
from collections.abc import Hashable
from fnmatch import translate
from functools import lru_cache

import msgspec

from afluente.application.access.grants import EVERYTHING, Action, Grant
from afluente.application.alarms.ports import AlarmLog, ReportedAlarm
from afluente.domain.alarms import AlarmChange, AlarmEvent, in_order

MAX_PAGE = 500
"""Quota of alarms on a page."""

# Reads of the log for one page; then the page is returned, full or not.
_MAX_READS = 10
_SECOND_MS = 1_000


class Cursor(msgspec.Struct, frozen=True):
    """The end of a page.

    Attributes:
        second: Unix second up to which the log was read.
        seen: number of matching alarms of this second on the pages so far.
    """

    second: int
    seen: int


class AlarmQuery(msgspec.Struct, frozen=True):
    """A query for alarms.

    Attributes:
        since, until: interval of their reports, in Unix seconds, without its end.
        domain, source_id, stream_id, state: of the events; None for any.
        key: a pattern of `domain/source_id/stream_id`, as in a shell; None for any.
        limit: size of the page, 1 to `MAX_PAGE`.
        cursor: end of the page before; None for the first page.
    """

    since: float
    until: float
    domain: str | None = None
    source_id: str | None = None
    stream_id: str | None = None
    key: str | None = None
    state: AlarmChange | None = None
    limit: int = 100
    cursor: Cursor | None = None

    def missing(self, grant: Grant) -> str | None:
        """The missing scope for the domain or source that the query names; None if both are within reach."""
        asked = msgspec.structs.replace(
            grant,
            domains=(EVERYTHING,) if self.domain is None else grant.domains,
            sources=(EVERYTHING,) if self.source_id is None else grant.sources,
        )
        return asked.missing(Action.ALARMS, self.domain or "", self.source_id or "")

    def matches(self, event: AlarmEvent) -> bool:
        """True if the query selects an event."""
        return (
            self.domain in {None, event.domain}
            and self.source_id in {None, event.source_id}
            and self.stream_id in {None, event.stream_id}
            and self.state in {None, event.state}
            and (self.key is None or _matches(self.key, f"{event.domain}/{event.source_id}/{event.stream_id}"))
        )


class AlarmPage(msgspec.Struct, frozen=True):
    """A page of alarms, the oldest report first, each once; events of one alarm are in the order of its transitions.

    Attributes:
        alarms: at most `limit`, and perhaps fewer though more follow.
        cursor: its end; None on the last page.
    """

    alarms: tuple[ReportedAlarm, ...]
    cursor: Cursor | None


def list_alarms(log: AlarmLog, query: AlarmQuery, grant: Grant) -> AlarmPage:
    """A page of the alarms within a caller's reach.

    Args:
        log: of reported alarms.
        query: selects alarms.
        grant: of the caller.

    Raises:
        UnavailableError: the log does not answer.
    """
    start = int(query.since * _SECOND_MS)
    if query.cursor is not None:
        start = max(start, query.cursor.second * _SECOND_MS)
    page = _Page(query)
    for reads, read in enumerate(log.pages(start, int(query.until * _SECOND_MS)), start=1):
        for reported in read:
            event = reported.event
            if grant.missing(Action.ALARMS, event.domain, event.source_id) or not query.matches(event):
                continue
            if not page.add(reported):
                return page.ending_here()
        # The first second is read to its end: the next page would begin with it again, and get no further.
        if reads >= _MAX_READS and read and read[-1].reported_ms // _SECOND_MS > start // _SECOND_MS:
            return page.ending_at(read[-1].reported_ms // _SECOND_MS)
    return page.last()


def _matches(pattern: str, key: str) -> bool:
    return _matcher(pattern).match(key) is not None


@lru_cache(maxsize=64)
def _matcher(pattern: str) -> re.Pattern[str]:
    # The cache of `fnmatch` holds 32,768 patterns, and callers choose these.
    return re.compile(translate(pattern))


class _Page:
    """A page under construction."""

    def __init__(self, query: AlarmQuery) -> None:
        self._alarms: list[ReportedAlarm] = []
        self._limit = query.limit
        self._before = query.cursor or Cursor(-1, 0)
        self._at = Cursor(-1, 0)
        self._identities: set[Hashable] = set()
        self._end = self._at

    def add(self, reported: ReportedAlarm) -> bool:
        """Add the next alarm, unless this page or the one before has it; False if the page is full."""
        second = reported.reported_ms // _SECOND_MS
        self._at = Cursor(second, self._at.seen + 1 if second == self._at.second else 1)
        event = reported.event
        # A pack that is delivered twice reports its alarms twice.
        is_repeated = event.identity in self._identities
        self._identities.add(event.identity)
        if is_repeated or (second == self._before.second and self._at.seen <= self._before.seen):
            return True
        if len(self._alarms) == self._limit:
            return False
        self._alarms.append(reported)
        self._end = self._at
        return True

    def ending_here(self) -> AlarmPage:
        """The full page, up to its last alarm."""
        return self._until(self._end)

    def ending_at(self, second: int) -> AlarmPage:
        """The page as it is, up to some alarm of a second."""
        return self._until(self._at if self._at.second == second else Cursor(second, 0))

    def last(self) -> AlarmPage:
        """The page as it is, without another one after it."""
        return self._until(None)

    def _until(self, cursor: Cursor | None) -> AlarmPage:
        return AlarmPage(tuple(in_order(self._alarms, lambda reported: reported.event)), cursor)
