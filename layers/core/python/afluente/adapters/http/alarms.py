"""Requests of the HTTP API for alarms, and the answers to them."""

import math
import re
from collections.abc import Mapping

import msgspec

from afluente.adapters.http.errors import invalid_request
from afluente.application.alarms.history import MAX_PAGE, AlarmPage, AlarmQuery, Cursor
from afluente.application.alarms.ports import ReportedAlarm
from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import domain_faults, part_faults

DEFAULT_SPAN_SECONDS = 24 * 3600.0
"""Time span of a query by default."""

LATEST = 1e11
"""The last time of a query, in Unix seconds."""

MAX_PATTERN_LENGTH = 512
"""Characters of a pattern of stream keys."""

NEXT_PATTERN = "[0-9]{1,11}-[0-9]{1,9}"
"""Form of the parameter `next`."""

_PARAMETERS = ("domain", "source_id", "stream_id", "key", "state", "since", "until", "limit", "next")
_NEXT = re.compile(NEXT_PATTERN)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LIMIT = re.compile(r"[0-9]{1,9}")


class Alarm(AlarmEvent, frozen=True, kw_only=True):
    """An alarm event as it was published, and the time of its report.

    Attributes:
        reported_at: in Unix seconds; `timestamp` and `raised_at` are times of the data.
    """

    reported_at: float


class AlarmList(msgspec.Struct, frozen=True):
    """A page of alarms, the oldest report first.

    Attributes:
        alarms: they may be fewer than `limit`, even none.
        next: the parameter `next` of the next page; null on the last page.
    """

    alarms: list[Alarm]
    next: str | None


def decode_alarm_query(parameters: Mapping[str, str], now: float) -> AlarmQuery:
    """Decode a query for alarms.

    Args:
        parameters: of the query string, by name.
        now: in Unix seconds.

    Raises:
        RequestError: 400, with every parameter that is wrong.
    """
    faults: list[Fault] = []
    for name in sorted(parameters.keys() - set(_PARAMETERS)):
        message = f"is no parameter; parameters are {', '.join(_PARAMETERS)}"
        faults.append(Fault(FaultCode.UNKNOWN_FIELD, name, message))
    if "domain" in parameters:
        faults += domain_faults(parameters["domain"])
    for name in ("source_id", "stream_id"):
        if name in parameters:
            faults += part_faults(name, parameters[name])
    until = _time(parameters, "until", now, faults)
    query = AlarmQuery(
        since=_time(parameters, "since", max(0.0, until - DEFAULT_SPAN_SECONDS), faults),
        until=until,
        domain=parameters.get("domain"),
        source_id=parameters.get("source_id"),
        stream_id=parameters.get("stream_id"),
        key=_key(parameters.get("key"), faults),
        state=_state(parameters.get("state"), faults),
        limit=_limit(parameters.get("limit"), faults),
        cursor=_cursor(parameters.get("next"), faults),
    )
    if query.since >= query.until:
        faults.append(Fault(FaultCode.CONTRADICTION, "since", "must be before `until`"))
    if faults:
        raise invalid_request(faults)
    return query


def alarm_list(page: AlarmPage) -> AlarmList:
    """The answer with a page."""
    following = None if page.cursor is None else f"{page.cursor.second}-{page.cursor.seen}"
    return AlarmList([_alarm(reported) for reported in page.alarms], following)


def _alarm(reported: ReportedAlarm) -> Alarm:
    return Alarm(**msgspec.structs.asdict(reported.event), reported_at=reported.reported_ms / 1000)


def _time(parameters: Mapping[str, str], name: str, default: float, faults: list[Fault]) -> float:
    if name not in parameters:
        return default
    # A number as JSON has it: Python's would have spaces, underscores and digits of other scripts as well.
    moment = float(parameters[name]) if _NUMBER.fullmatch(parameters[name]) else math.nan
    if 0 <= moment <= LATEST:
        return moment
    faults.append(Fault(FaultCode.OUT_OF_RANGE, name, f"must be a time in Unix seconds, from 0 to {LATEST:.0f}"))
    return default


def _key(text: str | None, faults: list[Fault]) -> str | None:
    if text is not None and not 1 <= len(text) <= MAX_PATTERN_LENGTH:
        message = f"must be a pattern of 1 to {MAX_PATTERN_LENGTH} characters, such as iot/furnace-*"
        faults.append(Fault(FaultCode.TOO_LONG if text else FaultCode.EMPTY, "key", message))
        return None
    return text


def _state(text: str | None, faults: list[Fault]) -> AlarmChange | None:
    if text is None or text in set(AlarmChange):
        return None if text is None else AlarmChange(text)
    faults.append(Fault(FaultCode.OUT_OF_RANGE, "state", f"must be one of {', '.join(AlarmChange)}"))
    return None


def _limit(text: str | None, faults: list[Fault]) -> int:
    if text is None:
        return AlarmQuery(0, 0).limit
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    if not 1 <= limit <= MAX_PAGE:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "limit", f"must be an integer from 1 to {MAX_PAGE}"))
    return limit


def _cursor(text: str | None, faults: list[Fault]) -> Cursor | None:
    if text is None:
        return None
    if not _NEXT.fullmatch(text):
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "next", "must be as `next` of an answer has it"))
        return None
    second, seen = map(int, text.split("-"))
    return Cursor(second, seen)
