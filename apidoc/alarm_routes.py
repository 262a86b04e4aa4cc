"""The route of alarms."""

from collections.abc import Mapping

from afluente.adapters.http.alarms import (
    DEFAULT_SPAN_SECONDS,
    LATEST,
    MAX_PATTERN_LENGTH,
    NEXT_PATTERN,
    Alarm,
    AlarmList,
)
from afluente.application.alarms.history import MAX_PAGE, AlarmQuery
from apidoc.operations import TEXT, Operation, answer, parameter
from apidoc.schemas import DOMAIN, PART, Record, Schema, ref

_TIME: Schema = {"type": "number", "minimum": 0, "maximum": LATEST}

_LIST = Operation(
    tag="Alarms",
    summary="List alarms",
    text=(
        "Alarms that were raised and cleared, the oldest report first, of all streams that the key reaches. A page may "
        "have fewer alarms than `limit`, even none, and a `next` all the same."
    ),
    parameters=(
        parameter("domain", "query", TEXT | DOMAIN, "Of the stream."),
        parameter("source_id", "query", TEXT | PART, "Of the stream."),
        parameter("stream_id", "query", TEXT | PART, "Of the stream."),
        parameter(
            "key",
            "query",
            TEXT | {"minLength": 1, "maxLength": MAX_PATTERN_LENGTH},
            "A pattern of `domain/source_id/stream_id`, as in a shell.",
        ),
        parameter("state", "query", ref("AlarmChange"), "The change of the alarm."),
        parameter(
            "since",
            "query",
            _TIME,
            f"From when they were reported on, in Unix seconds; {DEFAULT_SPAN_SECONDS / 3600:.0f} hours before `until` "
            "by default.",
        ),
        parameter("until", "query", _TIME, "Before when they were reported, in Unix seconds; by default now."),
        parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": AlarmQuery(0, 0).limit},
            "How many at the most.",
        ),
        parameter("next", "query", TEXT | {"pattern": f"^{NEXT_PATTERN}$"}, "As `next` of an answer has it."),
    ),
    answers={
        200: answer(
            "A page of alarms.",
            ref("AlarmList"),
            example={
                "alarms": [
                    {
                        "alarm_id": "9f0c2a77d1e64b5c03d7a8e1",
                        "kind": "violation",
                        "state": "raised",
                        "domain": "iot",
                        "source_id": "oven-1",
                        "stream_id": "oven-1:temperature",
                        "classification": "alert",
                        "severity": "alert",
                        "reason": "alert_zone",
                        "violated_constraints": {"alert_max": 300.0},
                        "value": 312.5,
                        "timestamp": 1795492666.0,
                        "point_id": "cf3849d1f5348d25f3bfe7b596b06ef4",
                        "count": 3,
                        "raised_at": 1795492666.0,
                        "transition": 1,
                        "config_version": 4,
                        "config_key": "iot#temperature",
                        "reported_at": 1795492667.25,
                    }
                ],
                "next": None,
            },
        )
    },
    problems=("invalid_request",),
)

ALARM_OPERATIONS: Mapping[str, Operation] = {"ListAlarms": _LIST}
"""By the name of the route."""

ALARM_RECORDS = (
    Record(type=Alarm, name="Alarm", is_answer=True),
    Record(type=AlarmList, name="AlarmList", is_answer=True, limits={"alarms": {"maxItems": MAX_PAGE}}),
)
