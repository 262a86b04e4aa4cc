"""Lines for people."""

import msgspec

from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.constraints import RateViolation, Severity
from afluente.domain.evaluation import Classification, Reason
from cli.reading.function_logs import _for_people
from cli.reading.log_events import LogEvent
from cli.reading.rendering import alarm_line, decode_alarm, decode_point, point_line

POINT = ClassifiedDataPoint(
    point_id="p",
    domain="iot",
    source_id="furnace-1",
    stream_id="furnace-1:value",
    value=104.25,
    timestamp=1_386_018_900.5,
    metadata={},
    classification=Classification.ALERT,
    reason=Reason.ALERT_ZONE,
    violated_constraints={"alert_max": 103.0, "warning_max": 100.0},
    violated_rate={"abs_delta": RateViolation(limit=6.0, observed=8.0486)},
    severity=Severity.ALERT,
    late=True,
    ingested_at=1.0,
    processed_at=2.0,
)
ALARM = AlarmEvent(
    alarm_id="a",
    state=AlarmChange.RAISED,
    domain="iot",
    source_id="furnace-1",
    stream_id="furnace-1:value",
    classification="alert",
    severity=Severity.ALERT,
    reason="alert_zone",
    value=104.25,
    timestamp=1_386_018_900.0,
    count=3,
    raised_at=1_386_018_900.0,
)


def test_a_point_is_rendered_with_everything_it_violated() -> None:
    assert point_line(POINT).plain == (
        "2013-12-02T21:15:00.500Z  ALERT    iot/furnace-1/furnace-1:value  104.25"
        "  > alert_max 103, > warning_max 100, abs_delta 8.049 > 6  late"
    )


def test_a_normal_point_is_rendered_with_its_reason() -> None:
    point = msgspec.structs.replace(
        POINT,
        classification=Classification.NORMAL,
        reason=Reason.NO_CONSTRAINTS,
        violated_constraints={},
        violated_rate={},
        late=False,
    )
    assert point_line(point).plain.endswith("NORMAL   iot/furnace-1/furnace-1:value  104.25  no_constraints")


def test_a_point_comes_from_its_line_on_the_stream() -> None:
    assert decode_point(msgspec.json.encode(POINT)) == POINT
    assert decode_point(b"{}") is None
    assert decode_point(b"x") is None


def test_an_alarm_is_rendered_with_its_cause() -> None:
    assert alarm_line(ALARM).plain == (
        "2013-12-02T21:15:00.000Z  RAISED   iot/furnace-1/furnace-1:value  104.25"
        "  alert: 3 violations in a row (alert_zone)"
    )
    cleared = msgspec.structs.replace(ALARM, state=AlarmChange.CLEARED)
    assert "CLEARED" in alarm_line(cleared).plain


def test_an_alarm_says_how_many_of_its_changes_were_not_published() -> None:
    assert alarm_line(msgspec.structs.replace(ALARM, transitions_omitted=499)).plain.endswith(
        "(alert_zone)  499 changes before it omitted"
    )


def test_an_alarm_comes_from_its_line_in_the_log() -> None:
    assert decode_alarm(msgspec.json.encode(ALARM).decode()) == ALARM
    assert decode_alarm("START RequestId") is None


def test_a_structured_line_of_a_function_is_rendered_as_a_sentence() -> None:
    line = '{"level":"INFO","message":"request accepted","timestamp":"t","service":"s","inserted":5}'
    assert _for_people(LogEvent(0, line)) == '1970-01-01T00:00:00.000+00:00 INFO     request accepted {"inserted":5}'


def test_any_other_line_of_a_function_stays_as_it_is() -> None:
    for line in ("START RequestId: x", '{"a":1}', "[1]", '{"level":"INFO","message":"m"}'):
        assert _for_people(LogEvent(0, line)).split(" ", 1)[1].rstrip() in {line, "INFO     m"}
